#!/usr/bin/env bash
# Compiles every kernel and the CUDA runtime layer with nvcc: sm_80, sm_90 and PTX, warnings as errors, no spills.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/local/cuda/bin
out=build/nvcc
mkdir -p $out
compile() {
    local log="build/nvcc/$(basename "$1").log"
    nvcc -std=c++20 -O2 -gencode arch=compute_80,code=sm_80 -gencode arch=compute_90,code=sm_90 -gencode arch=compute_90,code=compute_90 \
        --Werror all-warnings -Xcompiler=-Wall -Xptxas=-v,--warn-on-spills -I. -Ikernels/gpu/cuda -c "$1" -o "build/nvcc/$(basename "$1").o" >"$log" 2>&1 ||
        { cat "$log"; return 1; }
    if grep -E '[1-9][0-9]* bytes spill' "$log"; then echo "$1: spills registers" >&2; return 1; fi
}
export -f compile
printf '%s\n' kernels/cuda/*.cu kernels/gpu/cuda/*.cpp | xargs -P2 -I{} bash -c 'compile {}'
echo "compiled $(ls kernels/cuda/*.cu | wc -l) kernel files"

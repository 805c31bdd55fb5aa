#!/usr/bin/env bash
# Compiles every kernel and the CUDA runtime layer with nvcc: sm_80, sm_90a and PTX, warnings as errors, no spills, no
# vector that was split into stores of its 16-bit elements, and no kernel that takes more than its row of tests/gpu/kernels.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/local/cuda/bin
out=build/nvcc
rm -rf $out
mkdir -p $out/keep
nvcc --version >$out/nvcc.txt
compile() {
    local name log
    name=$(basename "$1") log="build/nvcc/$(basename "$1").log"
    local architectures=(-gencode "arch=compute_90a,code=sm_90a")  # Hopper's kernels have no other
    [[ $1 == *_gemm_wgmma.cu ]] ||
        architectures+=(-gencode "arch=compute_80,code=sm_80" -gencode "arch=compute_90,code=compute_90")
    nvcc -std=c++20 -O2 "${architectures[@]}" -keep -keep-dir build/nvcc/keep \
        --expt-relaxed-constexpr --Werror all-warnings -Xcompiler=-Wall -Xptxas=-v,--warn-on-spills -I. -Ikernels/gpu/cuda \
        -MD -MF "build/nvcc/$name.d" -c "$1" -o "build/nvcc/$name.o" >"$log" 2>&1 ||
        { cat "$log"; return 1; }
    if grep -E '[1-9][0-9]* bytes spill' "$log"; then echo "$1: spills registers" >&2; return 1; fi
    [[ $1 == *_gemm_wgmma.cu ]] || return 0
    # A build without code for sm_90a compiles them for what it has; there they trap.
    nvcc -std=c++20 -O2 -gencode arch=compute_80,code=sm_80 --expt-relaxed-constexpr --Werror all-warnings -Xcompiler=-Wall \
        -I. -Ikernels/gpu/cuda -c "$1" -o "build/nvcc/keep/$name.sm_80.o"
}
export -f compile
printf '%s\n' kernels/cuda/*.cu kernels/gpu/cuda/*.cpp tests/gpu/*.cu | xargs -P2 -I{} bash -c 'compile {}'

# ptxas makes wgmma wait after each product, or drops setmaxnreg, with a mere note.
if grep -E 'are serialized|setmaxnreg.* ignored' $out/*.log; then exit 1; fi

# Kernels for groups of 8 halves (…ELi8E… in their names), the tensor-core epilogues and the wide sums of partials; not the
# SIMT convolutions, whose ELi8E is a tile's and whose stores serve any channel count, nor narrow_forward, where it is that of
# the outputs.
split=$(awk '/\.entry / { match($0, /_Z[A-Za-z0-9_]+/); name = substr($0, RSTART, RLENGTH) }
    /st\.global/ && !/\.v[248]\./ {
        half = /\.[bu]16/ && ((name ~ /ELi8E/ && name !~ /SimtTile|narrow_forward/) || FILENAME ~ /implicit_gemm_mma/)
        if (half || name ~ /sum_partials_kernelILi4E/) stores[FILENAME ": " name]++
    }
    /st\.global/ { all++ }
    END {
        if (!all) print "no store was found in any PTX file"
        for (where in stores) print where ": " stores[where] " stores of single elements"
    }' $out/keep/*90a.ptx)
rm -rf $out/keep
if [ -n "$split" ]; then printf 'vectors are stored piecemeal; store_floats of kernels/gpu/pixels.h keeps them whole:\n%s\n' "$split" >&2; exit 1; fi
echo "compiled $(ls kernels/cuda/*.cu | wc -l) kernel files"
scripts/kernel_table.py

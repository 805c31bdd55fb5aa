#!/usr/bin/env bash
# Compiles the emulated platform's device code and runtime where the CUDA toolkit cannot be seen: an empty folder is
# mounted over it in a private mount namespace (as root), or, without that right, every include is searched for it.
set -euo pipefail
cd "$(dirname "$0")/.."
build=build/without-cuda
inner="cmake -S . -B $build -G Ninja -DATROUS_PLATFORM=emulated -DATROUS_TESTS=OFF >/dev/null && cmake --build $build -j2 --target atrous_cuda atrous_gpu >/dev/null"
hide=""
for folder in /usr/local/cuda /usr/local/cuda-*; do
    [ -d "$folder" ] && hide+="mount -t tmpfs none $(readlink -f "$folder") && "
done
if [ "$(id -u)" -eq 0 ] && unshare -m true 2>/dev/null; then
    unshare -m bash -c "$hide ! test -e /usr/local/cuda/include/cuda_runtime.h && $inner"
    echo "built with the toolkit's folder hidden"
else
    bash -c "$inner"
    if ninja -C $build -t deps | grep -iE '/cuda|cuda_runtime'; then echo "a CUDA header was used" >&2; exit 1; fi
    echo "built; no compiled file depends on a CUDA header"
fi

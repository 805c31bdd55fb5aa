#!/usr/bin/env bash
# Compares with PyTorch on this machine's GPU: the training steps of six nets (step), and every kernel of the U-Net and the
# atrous convolutions (kernels), ours and theirs in one run. Called by compare.sh gpu.
#   benchmarks/compare.sh gpu [FOLDER] [--dry-run]      default: build/compare-gpu
# They are parts of scripts/gpu-check.sh, built here for this GPU instead of unpacked from a bundle. FOLDER gets the tables
# (steps.txt, kernels.txt), a line for each part and every log whole. --dry-run: tiny, on the emulator.
set -euo pipefail
cd "$(dirname "$0")/.."
fail() { echo "compare.sh: $1" >&2; exit "${2:-1}"; }
out=build/compare-gpu preset=cuda dry=()
for word in "$@"; do
    case "$word" in
        --dry-run) dry=(--dry-run) preset=emulated ;;
        -*) fail "unknown argument '$word'; expected [FOLDER] [--dry-run]" 2 ;;
        *) out=$word ;;
    esac
done
mkdir -p "$out"
out=$(cd "$out" && pwd)
if [ $preset = cuda ]; then
    PATH=$PATH:/usr/local/cuda/bin
    command -v nvcc >/dev/null || fail "nvcc is not in PATH nor in /usr/local/cuda/bin; install the CUDA toolkit"
    nvidia-smi >/dev/null 2>&1 || fail "nvidia-smi finds no GPU; --dry-run shows what would run"
    python3 -c "import torch, torchvision; assert torch.cuda.is_available()" 2>/dev/null ||
        fail "python3 has no torch and torchvision that see the GPU; install them into an environment that is active"
    cmake --preset cuda -DATROUS_CUDA_ARCHITECTURES=native >/dev/null
fi
cmake --build --preset $preset -j"$(nproc)" --target atrous kernel_times >/dev/null

here=$out/check
rm -rf "$here" && mkdir -p "$here"
ln -s "$PWD/build/$preset/bin" "$here/bin"
ln -s "$PWD/benchmarks" "$here/benchmarks"
cp -r scripts/gpu-check scripts/gpu-check.sh "$here/"
# A folder's table needs no more than its logs. Twice the seconds of a borrowed machine: a smaller GPU takes longer.
compare() { # call, table, seconds, parts
    "$here/gpu-check.sh" "$1" "$out" --seconds "$3" --only "$4" "${dry[@]}" >"$out/$2.log" || true
    cp "$here/logs/$1/table.log" "$out/$2.txt" 2>/dev/null || { cat "$out/$2.log" >&2; fail "no table was made; see $out"; }
    cat "$out/$2.txt"
}
compare correctness steps 660 '^(environment|peer_compile.*|peer_eager|step_.*|table)$'
compare figures kernels 400 '^(kernels|kernels_own|peer_kernels|layers_cudnn|table)$'
if grep -hE '"rc": (null|[1-9])' "$out"/{correctness,figures}-parts.jsonl; then fail "these parts failed; their logs are in $here/logs"; fi

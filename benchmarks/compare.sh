#!/usr/bin/env bash
# Compares with PyTorch on this machine in one run, ours, every peer in both memory formats, ours again: a U-Net's training step in
# fp32 and bf16, that of a U-Net on ResNet-34 (batch 2), DeepLabV3's forward pass on ResNet-50 (batch 1).
#   benchmarks/compare.sh gpu [FOLDER] [--dry-run]      on this machine's GPU: benchmarks/compare_gpu.sh
#   benchmarks/compare.sh cpu [--newest] [--python PATH]… [--base-channels 32 --size 256 --batch-size 4 --threads N --steps 6]
# Peers: the python3 that has torch (Debian's python3-torch), every --python, and with --newest the newest torch of PyPI,
# which is put into build/venv once (some gigabytes). Prints lines "ratio <what> <figure>": time ratios are theirs / ours
# against the fastest peer and format, above 1 is faster than PyTorch; memory ratios are ours / theirs, below 1 is less.
# Everything measured stays in build/compare/*.jsonl. Where the processor lacks AVX-512 bf16 is left out, which a line says.
# ATROUS_CPU_ARCH=x86-64-v3 in the environment: both sides without AVX-512 on a processor that has it.
# Both sides' threads wait for each other as OMP_WAIT_POLICY says; on cores that others use as well, passive is steadier.
set -euo pipefail
cd "$(dirname "$0")/.."
fail() { echo "compare.sh: $1" >&2; exit "${2:-1}"; }

case "${1:-}" in
    cpu) shift ;;
    gpu) shift; exec benchmarks/compare_gpu.sh "$@" ;;
    *) fail "found '${1:-}', expected cpu or gpu: benchmarks/compare.sh cpu [--newest] [--python PATH], or gpu [FOLDER]" 2 ;;
esac
peers=() newest=no
base=32 size=256 batch=4 threads=$(nproc) steps=6
while [ $# -gt 0 ]; do
    case "$1" in
        --newest) newest=yes; shift; continue ;;
        --python | --base-channels | --size | --batch-size | --threads | --steps) [ $# -gt 1 ] || fail "$1 needs a value" 2 ;;
        *) fail "unknown argument '$1'" 2 ;;
    esac
    case "$1" in
        --python) peers+=("$2") ;;
        --base-channels) base=$2 ;;
        --size) size=$2 ;;
        --batch-size) batch=$2 ;;
        --threads) threads=$2 ;;
        --steps) steps=$2 ;;
    esac
    shift 2
done
if /usr/bin/python3 -c "import torch" 2>/dev/null; then peers=(/usr/bin/python3 "${peers[@]}"); fi
if [ $newest = yes ]; then
    if ! build/venv/bin/python -c "import torch" 2>/dev/null; then
        python3 -m venv build/venv || fail "python3 -m venv failed; install it: apt-get install python3-venv"
        build/venv/bin/pip install --quiet --upgrade torch torchvision numpy || fail "torch could not be installed into build/venv"
    fi
    peers+=(build/venv/bin/python)
fi
[ ${#peers[@]} -gt 0 ] || fail "no peer: apt-get install python3-torch, or give --newest or --python PATH"
for python in "${peers[@]}"; do
    "$python" -c "import torch, numpy" 2>/dev/null || fail "$python has no torch and numpy"
done

build=build/emulated arch=()
case "${ATROUS_CPU_ARCH:-}" in
    "") ;;
    x86-64-v3)
        build=build/x86-64-v3 arch=(-B "$PWD/build/x86-64-v3" -DATROUS_CPU_ARCH=x86-64-v3 -DATROUS_TESTS=OFF)
        export ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2
        ;;
    *) fail "ATROUS_CPU_ARCH is '$ATROUS_CPU_ARCH'; expected x86-64-v3, or none for what this processor has" 2 ;;
esac
cmake --preset emulated "${arch[@]}" >/dev/null && cmake --build $build -j2 --target atrous >/dev/null
out=build/compare
mkdir -p $out
what=(--base-channels "$base" --size "$size" --batch-size "$batch" --threads "$threads" --steps "$steps")
ours() { # precision, options of the net…
    $build/bin/atrous bench step --device cpu --precision "$@" "${what[@]}" --json -
}
theirs() { # options…; each format in a process of its own, so that its memory is its own
    local python format
    for python in "${peers[@]}"; do
        for format in contiguous channels_last; do
            "$python" benchmarks/peers/torch_step.py "${what[@]}" --formats $format "$@"
        done
    done
}
rm -f $out/*.jsonl
{ ours fp32; theirs; ours fp32; } >$out/step_fp32.jsonl
code=0
ours bf16 >$out/step_bf16.jsonl 2>$out/bf16.log || code=$?
if [ $code = 0 ]; then
    { theirs --autocast; ours bf16; } >>$out/step_bf16.jsonl
else
    rm $out/step_bf16.jsonl
    # 2: what was asked for cannot be; of the same options fp32 could.
    [ $code = 2 ] || fail "our step in bf16 failed: $(tail -1 $out/bf16.log)"
    echo "note: bf16 is not possible here and left out: $(tail -1 $out/bf16.log)"
fi

# Two nets more, against the peers that have torchvision.
with_nets=()
for python in "${peers[@]}"; do
    if "$python" -c "import torchvision" 2>/dev/null; then with_nets+=("$python"); fi
done
peers=("${with_nets[@]}")
if [ ${#peers[@]} -gt 0 ]; then
    what=(--size 256 --batch-size 2 --threads "$threads" --steps "$steps")
    net='{"model": "unet", "encoder": "resnet34"}'
    { ours fp32 --encoder resnet34; theirs --net "$net"; ours fp32 --encoder resnet34; } >$out/resnet34_unet_step_fp32.jsonl
    what=(--size 256 --batch-size 1 --threads "$threads" --steps "$steps" --forward)
    net='{"model": "deeplabv3", "encoder": "resnet50"}'
    { ours fp32 --model deeplabv3; theirs --net "$net"; ours fp32 --model deeplabv3; } >$out/deeplabv3_forward_fp32.jsonl
else
    echo "note: no peer has torchvision; the U-Net on ResNet-34 and DeepLabV3 are left out"
fi
python3 benchmarks/peers/ratios.py $out/*.jsonl

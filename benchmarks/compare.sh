#!/usr/bin/env bash
# Compares a training step with PyTorch's on this machine in one run: ours, every peer in both memory formats, ours again.
#   benchmarks/compare.sh cpu [--newest] [--python PATH]… [--base-channels 32 --size 256 --batch-size 4 --threads N --steps 6]
# Peers: the python3 that has torch (Debian's python3-torch), every --python, and with --newest the newest torch of PyPI,
# which is put into build/venv once (some gigabytes). Prints lines "ratio <what> <figure>": time ratios are theirs / ours
# against the fastest peer and format, above 1 is faster than PyTorch; memory ratios are ours / theirs, below 1 is less.
# Everything measured stays in build/compare/*.jsonl.
# Threads of both sides sleep at barriers unless OMP_WAIT_POLICY says otherwise: spinning on shared cores measures the others.
set -euo pipefail
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive}
cd "$(dirname "$0")/.."
fail() { echo "compare.sh: $1" >&2; exit "${2:-1}"; }

[ "${1:-}" = cpu ] || fail "found '${1:-}', expected cpu: benchmarks/compare.sh cpu [--newest] [--python PATH]" 2
shift
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
        build/venv/bin/pip install --quiet --upgrade torch numpy || fail "torch could not be installed into build/venv"
    fi
    peers+=(build/venv/bin/python)
fi
[ ${#peers[@]} -gt 0 ] || fail "no peer: apt-get install python3-torch, or give --newest or --python PATH"
for python in "${peers[@]}"; do
    "$python" -c "import torch, numpy" 2>/dev/null || fail "$python has no torch and numpy"
done

cmake --preset emulated >/dev/null && cmake --build --preset emulated -j2 --target atrous >/dev/null
out=build/compare
mkdir -p $out
what=(--base-channels "$base" --size "$size" --batch-size "$batch" --threads "$threads" --steps "$steps")
ours() { build/emulated/bin/atrous bench step --device cpu --precision "$1" "${what[@]}" --json -; }
theirs() { # options…; each format in a process of its own, so that its memory is its own
    local python format
    for python in "${peers[@]}"; do
        for format in contiguous channels_last; do
            "$python" benchmarks/peers/torch_step.py "${what[@]}" --formats $format "$@"
        done
    done
}
{ ours fp32; theirs; ours fp32; } >$out/fp32.jsonl
{ ours bf16; theirs --autocast; ours bf16; } >$out/bf16.jsonl
"${peers[0]}" benchmarks/peers/ratios.py $out/fp32.jsonl $out/bf16.jsonl

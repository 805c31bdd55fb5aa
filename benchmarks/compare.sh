#!/usr/bin/env bash
# Compares a training step on the cpu with PyTorch's, side by side: ours, theirs, ours. Prints lines "ratio <what> <figure>"
# (theirs / ours: above 1 is faster than PyTorch).
#   benchmarks/compare.sh [PYTHON]      PYTHON: one that has torch (default: /usr/bin/python3 with Debian's python3-torch)
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-/usr/bin/python3}
"$python" -c "import torch" 2>/dev/null || { echo "compare.sh: $python has no torch; name one that has: benchmarks/compare.sh PYTHON" >&2; exit 1; }
cmake --preset emulated >/dev/null && cmake --build --preset emulated -j2 --target train_step >/dev/null
out=build/compare
mkdir -p $out
ours() { build/emulated/bin/train_step 32 256 4 2 6 cpu "$1"; }
theirs() { "$python" benchmarks/peers/torch_step.py --base-channels 32 --size 256 --batch-size 4 --threads 2 --steps 6 "$@"; }
{ ours fp32; theirs; ours fp32; } | tee $out/fp32.jsonl
{ ours bf16; theirs --autocast; ours bf16; } | tee $out/bf16.jsonl
"$python" - $out/fp32.jsonl $out/bf16.jsonl <<'P'
import json, sys
for path in sys.argv[1:]:
    lines = [json.loads(l) for l in open(path)]
    ours = min(l["median_s"] for l in lines if "engine" in l)
    peer = min((l for l in lines if "torch" in l), key=lambda l: l["median_s"])
    mine = next(l for l in lines if "engine" in l)
    name = path.split("/")[-1].split(".")[0]
    print(f"ratio step_{name} {peer['median_s'] / ours:.2f}   (torch {peer['torch']} {peer['format']} {peer['median_s']:.3f} s, atrous {ours:.3f} s)")
    print(f"ratio memory_{name} {mine['max_rss_mib'] / peer['max_rss_mib']:.2f}   (ours / theirs, peak RSS)")
    print(f"losses {name}: atrous {mine['losses'][:3]} torch {peer['losses'][:3]}")
P

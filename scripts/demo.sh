#!/usr/bin/env bash
# Installs what is missing, builds atrous, draws a small data set, trains a U-Net on it on the cpu, and shows the result.
#   scripts/demo.sh [FOLDER]     results go to FOLDER (default: runs/demo)
set -euo pipefail
start=$PWD
cd "$(dirname "$0")/.."
case "${1:-}" in
    -h | --help) sed -n '2,3s/^# //p' "$0"; exit 0 ;;
esac
out=${1:-$start/runs/demo}
case "$out" in /*) ;; *) out=$start/$out ;; esac
if [ -e "$out" ] && [ -n "$(ls -A "$out")" ]; then
    echo "demo.sh: $out is not empty; remove it or name another folder: scripts/demo.sh FOLDER" >&2
    exit 2
fi

scripts/setup.sh
echo "building (build/demo)"
mkdir -p build "$out"
cmake -S . -B build/demo -G Ninja -DATROUS_PLATFORM=emulated -DATROUS_TESTS=OFF >build/demo.log
cmake --build build/demo --target atrous >>build/demo.log || { tail -30 build/demo.log; exit 1; }
atrous=$PWD/build/demo/bin/atrous
echo "built in $SECONDS s"

"$atrous" synth --output "$out/data" --count 240 --size 128 --seed 1
"$atrous" train --data "$out/data" --base-channels 16 --size 128 --batch-size 8 --epochs 30 --lr 2e-3 --schedule cosine \
    --vflip 0.5 --device cpu --output-dir "$out/run"
"$atrous" eval --data "$out/data" --checkpoint "$out/run/best.safetensors" --sheet "$out/contact_sheet.png"
"$atrous" predict "$out/data/val/images" --checkpoint "$out/run/best.safetensors" --output "$out/predictions"
echo
echo "done in $SECONDS s. Look at:"
echo "  $out/contact_sheet.png     image, truth, prediction and overlay of held-out drawings"
echo "  $out/predictions/          masks and overlays"
echo "  $out/run/                  checkpoints, metrics.csv, config.toml"

#!/usr/bin/env bash
# Starts every part of scripts/gpu-check.sh on the emulator, tiny: no part may fail on a GPU for a wrong name, flag, filter
# or file. Then breaks a part in each of these ways and sees that it is noticed.
#   scripts/check_gpu_dry_run.sh [BUILD]        default: build/emulated, built
set -euo pipefail
cd "$(dirname "$0")/.."
build=$(cd "${1:-build/emulated}" && pwd)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

# What the bundle holds, as links.
mkdir -p "$root/lib" "$root/data" "$root/tests/gpu"
ln -s "$build/bin" "$root/bin"
ln -s "$(find "$build" -name 'libfake_library.so' -print -quit)" "$root/lib/"
ln -s "$PWD"/tests/goldens "$PWD"/tests/apps "$root/tests/"
ln -s "$PWD"/tests/gpu/* "$root/tests/gpu/"
ln -s "$PWD/benchmarks" "$root/"
cp -r scripts/gpu-check scripts/gpu-check.sh "$root/"
"$build/bin/atrous" synth --output "$root/data/dsb2018" --count 10 --size 32 >/dev/null

run() { # call, folder, options…
    OMP_WAIT_POLICY=passive "$root/gpu-check.sh" "$@" --dry-run
}
for call in correctness figures; do
    run $call "$root/out" >"$root/$call.txt" 2>&1 || {
        cat "$root/$call.txt"
        grep -vE '"rc": 0,' "$root/out/$call-parts.jsonl" | sed -E 's/.*"part": "([^"]*)".*/\1/' | while read -r name; do
            echo "-- $name"; tail -15 "$root/logs/$call/$name.log"
        done
        echo "check_gpu_dry_run: a part of $call failed" >&2
        exit 1
    }
    grep "^part" "$root/$call.txt"
    for file in summary.txt parts.jsonl logs.tar.gz; do
        [ -s "$root/out/$call-$file" ] || { echo "check_gpu_dry_run: $call left no $call-$file" >&2; exit 1; }
    done
done

# broken CALL PART FROM TO: the part has to fail with FROM replaced by TO.
broken() {
    cp scripts/gpu-check/*.sh "$root/gpu-check/"
    sed -i "s%$3%$4%" "$root/gpu-check/"*.sh
    if cmp -s "scripts/gpu-check/$1.sh" "$root/gpu-check/$1.sh" && cmp -s scripts/gpu-check/parts.sh "$root/gpu-check/parts.sh"; then
        echo "check_gpu_dry_run: '$3' is not in the script" >&2; exit 1
    fi
    if run "$1" "$root/broken" --only "^$2\$" >/dev/null 2>&1; then
        echo "check_gpu_dry_run: $2 passed with '$4' for '$3'" >&2; exit 1
    fi
    grep -q "\"part\": \"$2\"" "$root/broken/$1-parts.jsonl" || { echo "check_gpu_dry_run: $2 did not run" >&2; exit 1; }
}
broken correctness step_unet "--batch-size 16" "--batches 16"
broken correctness smoke_engine "TensorTest\*gpu" "TensorTest*gpus"
broken correctness tests_cudnn "CudnnOnThisGpu" "CudnnOnThatGpu"
broken correctness peer_eager "--variants eager_bf16" "--variants eager"
broken correctness environment "clocks.mem" "clocks.memory"
broken correctness curve_fp32 "compare_curves.py" "compare_curve.py"
broken figures memcheck_step "--print-limit" "--print-limits"
broken figures tune_unet "--tune-budget" "--tune-time"
broken figures counters_norm "apply_norm" "normalize"
broken figures layers_cudnn "--reps 5" "--times 5"
if run figures "$root/broken" --only no_such_part >/dev/null 2>&1; then echo "check_gpu_dry_run: no part ran, unnoticed" >&2; exit 1; fi

# The comparison with PyTorch, which runs some of the parts from the source tree.
benchmarks/compare.sh gpu "$root/compare" --dry-run >"$root/compare.txt" 2>&1 || { tail -15 "$root/compare.txt" >&2; exit 1; }
for table in steps kernels; do
    [ -s "$root/compare/$table.txt" ] || { echo "check_gpu_dry_run: compare.sh gpu made no table of $table" >&2; exit 1; }
done
echo "every part starts, and what breaks one is noticed ($SECONDS s)"

#!/usr/bin/env bash
# Everything that waits for a GPU, in under ten minutes; run from the unpacked bundle of scripts/gpu-bundle.sh.
#   gpu-check.sh FOLDER [--seconds N] [--only REGEX]
# FOLDER gets summary.txt, parts.jsonl (a line a part: name, exit code, seconds, tests) and gpu-check.tar.gz with the whole
# logs, which lie in logs/ beside this script meanwhile. Every part has its own limit, and none needs another: where one
# fails or hangs the rest goes on. Exit code: 0 when every part ended with 0, else 1.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
total=560 only=. out=
while [ $# -gt 0 ]; do
    case "$1" in
        --seconds) total=$2; shift ;;
        --only) only=$2; shift ;;
        -h | --help) sed -n '2,6s/^# //p' "$0"; exit 0 ;;
        -*) echo "gpu-check.sh: unknown option '$1'; usage: gpu-check.sh FOLDER [--seconds N] [--only REGEX]" >&2; exit 2 ;;
        *) out=$1 ;;
    esac
    shift
done
[ -n "$out" ] || { echo "gpu-check.sh: name the folder for the results: gpu-check.sh FOLDER" >&2; exit 2; }
mkdir -p "$out"
out=$(cd "$out" && pwd)
logs=$here/logs runs=$here/runs bin=$here/bin
rm -rf "${logs:?}" "${runs:?}"
mkdir -p "$logs" "$runs"
: >"$logs/parts.jsonl"

export PATH=$PATH:/usr/local/cuda/bin:/usr/local/cuda/compute-sanitizer
export ATROUS_TEST_ROOT=$here ATROUS_SHARED_DATA=$here/data ATROUS_PROGRAM=$bin/atrous
export ATROUS_FAKE_LIBRARY=$here/lib/libfake_library.so
export OMP_WAIT_POLICY=passive PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
cores=$(nproc)

left() { echo $((total - SECONDS)); }

# tests_in LOG: ', "passed": N, "failed": N, "skipped": N' of a GoogleTest run, nothing of anything else.
tests_in() {
    grep -q '^\[==========\]' "$1" 2>/dev/null || return 0
    local name word
    while read -r name word; do
        printf ', "%s": %d' "$name" "$(grep -cE "^\[ *$word *\] .*\(" "$1")"
    done <<<$'passed OK\nfailed FAILED\nskipped SKIPPED'
}

# part NAME LIMIT COMMAND…: runs it with the log logs/NAME.log and leaves a line in parts.jsonl.
part() {
    local name=$1 limit=$2 rc=null began=$SECONDS note=""
    shift 2
    grep -qE "$only" <<<"$name" || return 0
    [ "$limit" -le $(($(left) - 5)) ] || limit=$(($(left) - 5))
    if [ "$limit" -lt 5 ]; then
        printf '{"part": "%s", "rc": null, "seconds": 0, "note": "no time left"}\n' "$name" >>"$logs/parts.jsonl"
        return 0
    fi
    { echo "+ $*"; exec timeout -k 5 "$limit" "$@"; } >"$logs/$name.log" 2>&1 &
    local child=$!
    [ "$BASH_SUBSHELL" = 0 ] || trap 'kill $child 2>/dev/null; exit 143' TERM
    wait $child
    rc=$?
    if [ $rc = 124 ] || [ $rc = 137 ]; then note=", \"note\": \"stopped after $limit s\""; fi
    # A test that finds no GPU skips: here that is a failure.
    if [ $rc = 0 ] && grep -qE 'no GPU|no usable GPU|none on a GPU|no NVIDIA driver' "$logs/$name.log"; then
        rc=97 note=', "note": "found no GPU"'
    elif [ $rc = 0 ] && grep -q '^\[==========\] Running 0 tests' "$logs/$name.log"; then
        rc=98 note=', "note": "no test has such a name"'
    fi
    printf '{"part": "%s", "rc": %s, "seconds": %d%s%s}\n' "$name" "$rc" $((SECONDS - began)) "$(tests_in "$logs/$name.log")" \
        "$note" >>"$logs/parts.jsonl"
}

# Runs the following parts beside each other: together "part a …" "part b …".
together() {
    local line waiting=()
    for line in "$@"; do
        eval "$line" &
        waiting+=($!)
    done
    wait "${waiting[@]}"
    pack
}

pack() {
    {
        cat "$here/VERSION" 2>/dev/null
        echo "after $SECONDS s of $total"
        sed -E 's/[{}"]//g' "$logs/parts.jsonl"
        cat "$logs/table.log" 2>/dev/null
    } >"$out/summary.txt"
    cp "$logs/parts.jsonl" "$out/parts.jsonl"
    tar -C "$here" -czf "$out/gpu-check.tar.gz.new" logs && mv "$out/gpu-check.tar.gz.new" "$out/gpu-check.tar.gz"
}
finish() {
    trap - EXIT
    local running
    running=$(jobs -p)
    [ -z "$running" ] || kill $running 2>/dev/null
    pack
    cat "$out/summary.txt"
    if grep -qvE '"rc": 0,' "$logs/parts.jsonl"; then exit 1; fi
    exit 0
}
trap finish EXIT
trap 'exit 143' TERM INT

environment() {
    for command in "uname -a" nvidia-smi "$bin/atrous devices" "ldd $bin/atrous" "lscpu" "free -g" "python3 --version" \
        "python3 -c 'import torch; print(torch.__version__, torch.version.cuda, torch.backends.cudnn.version())'" \
        "cuobjdump --list-elf $bin/atrous"; do
        echo "== $command"
        timeout 15 bash -c "$command" 2>&1 | head -60
    done
    grep -q '^ *cuda:0' <<<"$("$bin/atrous" devices)" || { echo "no usable GPU"; return 1; }
}
export -f environment
export bin

data=$here/data/dsb2018
if [ ! -d "$data" ]; then
    data=$runs/drawn
    "$bin/atrous" synth --output "$data" --count 280 --size 256 >"$logs/synth.log" 2>&1
fi
training() { # device, precision, run folder, threads
    echo "$bin/atrous train --data $data --base-channels 16 --size 128 --batch-size 8 --lr 1e-3 --epochs 6 --vflip 0.5" \
        "--seed 0 --device $1 --precision $2 --threads $4 --output-dir $runs/$3"
}
step="$bin/atrous bench step --base-channels 64 --size 512 --batch-size 16 --device cuda --json -"

part environment 25 bash -c environment
pack

together "part smoke_kernels 25 $bin/test_kernels --gtest_filter='PointwiseCuda.Activations:ConvCudaTiles.*'" \
    "part smoke_cases 25 $bin/test_cases --gtest_filter='*_exact_gpu_*'" \
    "part smoke_engine 25 $bin/test_engine --gtest_filter='*TensorTest*gpu*'" \
    "part smoke_models 25 $bin/test_models --gtest_filter=TrainingTest.GpuKernelsFollowTheCpu" \
    "part smoke_data 25 $bin/test_data --gtest_filter='*dsb2018*'" \
    "part smoke_apps 25 $bin/test_apps --gtest_filter='ProgramTest.TrainsEvaluatesAndPredicts'"

# Correctness: the cores are shared, nothing is timed.
export OMP_NUM_THREADS=$((cores / 4 + 1))
together "part tests_kernels 120 $bin/test_kernels" "part tests_cases 120 $bin/test_cases" \
    "part tests_engine 120 $bin/test_engine" "part tests_models 120 $bin/test_models" \
    "part tests_data 120 $bin/test_data" "part tests_apps 120 $bin/test_apps" \
    "part train_gpu 120 $(training cuda fp32 gpu 4)" "part train_cpu 120 $(training cpu fp32 cpu 6)" \
    "part train_gpu_bf16 120 $(training cuda bf16 gpu_bf16 4)" "part train_gpu_fp16 120 $(training cuda fp16 gpu_fp16 4)"
unset OMP_NUM_THREADS
for run in "$runs"/*/metrics.csv; do cp "$run" "$logs/$(basename "$(dirname "$run")").csv" 2>/dev/null; done
part curve 10 python3 "$here/benchmarks/compare_curves.py" "$runs/gpu" "$runs/cpu"
for half in bf16 fp16; do
    part curve_$half 10 python3 "$here/benchmarks/compare_curves.py" "$runs/gpu_$half" "$runs/cpu" --first-loss 0.05 --loss 0.1
done

# Time: one program at a time; ours, theirs, ours.
part step_bf16 35 $step --precision bf16 --steps 20
part step_bf16_no_graphs 20 $step --precision bf16 --steps 10 --no-graphs
part step_fp32 20 $step --precision fp32 --steps 4
part kernels 40 "$bin/kernel_times"
pack
part peer_steps 100 python3 "$here/benchmarks/peers/gpu_steps.py" --budget-s 90 --out "$logs/peer_steps.jsonl"
part step_bf16_again 25 $step --precision bf16 --steps 20
part peer_kernels 60 python3 "$here/benchmarks/peers/gpu_kernels.py" --budget-s 52 --out "$logs/peer_kernels.jsonl"
part table 10 python3 "$here/benchmarks/peers/gpu_table.py" "$logs"
pack

# One process a tool and share of the tests: a tool makes a kernel tens to hundreds of times slower.
sanitizers=() shares=4
for share in $(seq 0 $((shares - 1))); do
    for tool in memcheck racecheck initcheck synccheck; do
        sanitizers+=("part ${tool}_$share 90 env GTEST_TOTAL_SHARDS=$shares GTEST_SHARD_INDEX=$share OMP_NUM_THREADS=1 \
compute-sanitizer --tool $tool --error-exitcode 66 --print-limit 20 $bin/test_kernels --gtest_filter='*Cuda*'")
    done
done
together "${sanitizers[@]}"

part counters 25 ncu --clock-control none --section SpeedOfLight --section Occupancy --section LaunchStats \
    --kernel-name regex:implicit_gemm\|wgrad_gemm\|batch_statistics\|apply_norm --launch-count 12 \
    "$bin/kernel_times" --only conv3x3_128 --reps 1

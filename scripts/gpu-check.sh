#!/usr/bin/env bash
# What waits for a GPU, as two calls; run from the unpacked bundle of scripts/gpu-bundle.sh.
#   gpu-check.sh correctness FOLDER      under 330 s: environment, tests, full-size numbers, trainings, steps of both sides
#   gpu-check.sh figures FOLDER          under 200 s: kernels of both sides, layers, memory, sanitizers, counters
# Options: --seconds N (limit of the call), --only REGEX (parts by name), --dry-run (tiny, without a GPU).
# FOLDER gets CALL-summary.txt, CALL-parts.jsonl (a line a part: name, exit code, seconds, tests) and CALL-logs.tar.gz with
# the logs whole, anew after every part; they lie in logs/CALL beside this script. Every part has its own limit, and none
# needs another: where one fails or hangs the rest goes on. Exit code: 0 when every part ended with 0, else 1.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
fail() { echo "gpu-check.sh: $1; usage: gpu-check.sh correctness|figures FOLDER [--seconds N] [--only REGEX] [--dry-run]" >&2; exit 2; }
total='' only=. call='' out='' dry=no
while [ $# -gt 0 ]; do
    case "$1" in
        --seconds | --only) [ $# -gt 1 ] || fail "$1 needs a value" ;;&
        --seconds) total=$2; shift ;;
        --only) only=$2; shift ;;
        --dry-run) dry=yes ;;
        -h | --help) sed -n '2,9s/^# //p' "$0"; exit 0 ;;
        -*) fail "unknown option '$1'" ;;
        *) if [ -z "$call" ]; then call=$1; elif [ -z "$out" ]; then out=$1; else fail "found '$1' behind the folder"; fi ;;
    esac
    shift
done
case "$call" in
    correctness) total=${total:-330} ;;
    figures) total=${total:-200} ;;
    *) fail "found '$call', expected correctness or figures" ;;
esac
[ -n "$out" ] || fail "no folder for the results is named"
mkdir -p "$out"
out=$(cd "$out" && pwd)
export here bin=$here/bin logs=$here/logs/$call runs=$here/runs/$call data=$here/data/dsb2018
rm -rf "${logs:?}" "${runs:?}"
mkdir -p "$logs" "$runs"

export PATH=$PATH:/usr/local/cuda/bin:/usr/local/cuda/compute-sanitizer
export ATROUS_TEST_ROOT=$here ATROUS_SHARED_DATA=$here/data ATROUS_PROGRAM=$bin/atrous
export ATROUS_FAKE_LIBRARY=$here/lib/libfake_library.so TORCHINDUCTOR_CACHE_DIR=$here/inductor
export OMP_WAIT_POLICY=passive PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
cores=$(nproc)
# Which implementations the program takes, where it has that setting: ATROUS_CHECK_KERNELS=own and so on.
kernels=${ATROUS_CHECK_KERNELS:+--kernels $ATROUS_CHECK_KERNELS}

. "$here/gpu-check/parts.sh"
if [ $dry = yes ]; then . "$here/gpu-check/dry-run.sh"; fi
trap finish EXIT
trap 'exit 143' TERM INT
. "$here/gpu-check/$call.sh"

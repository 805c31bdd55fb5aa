#!/usr/bin/env bash
# Builds the libFuzzer targets of tests/fuzz with clang, addresses and undefined behaviour checked, and runs each.
#   scripts/fuzz.sh [SECONDS]     a target (default 60); what it learns stays in build/fuzz/corpus
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
case "$seconds" in *[!0-9]* | "") echo "fuzz.sh: '$seconds' is not a number of seconds" >&2; exit 2 ;; esac
mkdir -p build
cmake -S tests/fuzz -B build/fuzz -G Ninja -DCMAKE_CXX_COMPILER=clang++-14 >build/fuzz.log 2>&1 || { cat build/fuzz.log; exit 1; }
cmake --build build/fuzz -j2 >>build/fuzz.log 2>&1 || { grep -E "error|FAILED" -A4 build/fuzz.log | head -40; exit 1; }
build/fuzz/seeds build/fuzz/seeds.d
failed=0
for target in build/fuzz/*_fuzz; do
    name=$(basename "$target")
    mkdir -p "build/fuzz/corpus/$name" "build/fuzz/seeds.d/$name"
    longest=65536
    [ "$name" = config_fuzz ] && longest=1048577  # one more than a configuration file may have
    # 5 s an input; memory: the largest image (2^28 pixels would be 1 GiB) is refused by what its file can hold.
    if "$target" -max_total_time="$seconds" -seed=1 -timeout=5 -rss_limit_mb=1024 -malloc_limit_mb=512 -max_len="$longest" \
        -artifact_prefix="build/fuzz/$name-" -print_final_stats=1 "build/fuzz/corpus/$name" "build/fuzz/seeds.d/$name" \
        >"build/fuzz/$name.log" 2>&1; then
        echo "$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "build/fuzz/$name.log") inputs, nothing found"
    else
        echo "$name: FAILED; see build/fuzz/$name.log and build/fuzz/$name-*" >&2
        grep -E "ERROR|SUMMARY|runtime error" "build/fuzz/$name.log" | sed -n 1,5p >&2
        failed=1
    fi
done
exit $failed

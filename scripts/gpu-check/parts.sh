# What a part is: a command with a name, a limit, a log and a line in parts.jsonl. Read by gpu-check.sh.

: >"$logs/parts.jsonl"
left() { echo $((total - SECONDS)); }
# within LIMIT RESERVE: LIMIT, or what is left beside the seconds that later parts want.
within() { local most=$(($(left) - $2)); echo $(($1 < most ? $1 : most)); }

# tests_in LOG: ', "passed": N, "failed": N, "skipped": N' of a GoogleTest run, nothing of anything else.
tests_in() {
    grep -q '^\[==========\]' "$1" 2>/dev/null || return 0
    local name word
    while read -r name word; do
        printf ', "%s": %d' "$name" "$(grep -cE "^\[ *$word *\] .*\(" "$1")"
    done <<<$'passed OK\nfailed FAILED\nskipped SKIPPED'
}

# why_not LOG: what a command that ended with 0 did not find all the same. A test that finds no GPU skips.
why_not() {
    if [ $dry = no ] && grep -qE 'no GPU|no usable GPU|none on a GPU|no NVIDIA driver' "$1"; then echo "97 found no GPU"
    elif [ $dry = no ] && grep -q 'no cuDNN' "$1"; then echo "96 found no cuDNN"
    elif grep -q '^\[==========\] Running 0 tests' "$1"; then echo "98 no test has such a name"
    fi
}

# part NAME LIMIT COMMAND…: runs it with the log logs/NAME.log and leaves a line in parts.jsonl.
part() {
    local name=$1 limit=$2 rc=null began=$SECONDS note="" why command=()
    shift 2
    grep -qE "$only" <<<"$name" || return 0
    command=("$@")
    if [ $dry = yes ]; then dry_command "$@"; limit=$((limit * 10)); fi
    limit=$(within "$limit" 5)
    if [ "$limit" -lt 5 ]; then
        printf '{"part": "%s", "rc": null, "seconds": 0, "note": "no time left"}\n' "$name" >>"$logs/parts.jsonl"
        return 0
    fi
    { echo "+ ${command[*]}"; exec timeout -k 5 "$limit" "${command[@]}"; } >"$logs/$name.log" 2>&1 &
    local child=$!
    [ "$BASH_SUBSHELL" = 0 ] || trap 'kill $child 2>/dev/null; exit 143' TERM
    wait $child
    rc=$?
    if [ $rc = 124 ] || [ $rc = 137 ]; then note=", \"note\": \"stopped after $limit s\""; fi
    why=$([ $rc != 0 ] || why_not "$logs/$name.log")
    if [ -n "$why" ]; then rc=${why%% *} note=", \"note\": \"${why#* }\""; fi
    printf '{"part": "%s", "rc": %s, "seconds": %d%s%s}\n' "$name" "$rc" $((SECONDS - began)) "$(tests_in "$logs/$name.log")" \
        "$note" >>"$logs/parts.jsonl"
    pack
}

# Runs the following parts beside each other: together "part a …" "part b …". A dry run has two cores: one after the other.
together() {
    local line waiting=()
    for line in "$@"; do
        if [ $dry = yes ]; then eval "$line"; continue; fi
        eval "$line" &
        waiting+=($!)
    done
    [ $dry = yes ] || wait "${waiting[@]}"
}

# Writes FOLDER; parts that run beside each other take turns.
pack() {
    (
        flock 9
        {
            cat "$here/VERSION" 2>/dev/null
            echo "$call after $SECONDS s of $total"
            sed -E 's/[{}"]//g' "$logs/parts.jsonl"
            cat "$logs/table.log" 2>/dev/null
        } >"$out/$call-summary.txt"
        cp "$logs/parts.jsonl" "$out/$call-parts.jsonl"
        tar -C "$here/logs" -czf "$out/.new.tar.gz" "$call" 2>/dev/null
        mv "$out/.new.tar.gz" "$out/$call-logs.tar.gz"
    ) 9>"$logs/.lock"
}
finish() {
    trap - EXIT
    local running
    running=$(jobs -p)
    [ -z "$running" ] || kill $running 2>/dev/null
    pack
    cat "$out/$call-summary.txt"
    if [ ! -s "$logs/parts.jsonl" ]; then echo "gpu-check.sh: no part is named like '$only'" >&2; exit 1; fi
    if grep -qvE '"rc": 0,' "$logs/parts.jsonl"; then exit 1; fi
    exit 0
}

# net WORKLOAD: the flags of a net that is measured; benchmarks/peers/gpu_steps.py has the same under the same names.
net() {
    case "$1" in
        unet) echo "--model unet --base-channels 64 --size 512 --batch-size 16" ;;
        unet_bilinear) echo "--model unet --base-channels 64 --bilinear --size 512 --batch-size 16" ;;
        unet_resnet34) echo "--model unet --encoder resnet34 --size 320 --batch-size 8" ;;
        deeplabv3_resnet50) echo "--model deeplabv3 --encoder resnet50 --classes 21 --size 513 --batch-size 16" ;;
        deeplabv3_resnet101) echo "--model deeplabv3 --encoder resnet101 --classes 21 --size 513 --batch-size 16" ;;
        comma10k_resnet18) echo "--model deeplabv3-comma10k --encoder resnet18 --classes 5 --size 512 --batch-size 8" ;;
    esac
}
workloads="unet unet_bilinear unet_resnet34 deeplabv3_resnet50 deeplabv3_resnet101 comma10k_resnet18"
step="$bin/atrous bench step --device cuda $kernels --json -"

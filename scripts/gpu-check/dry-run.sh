# gpu-check.sh --dry-run: every part as it is, with tiny sizes, the emulator for the GPU, and stand-ins that check their
# arguments for what a machine without a GPU lacks. Read by gpu-check.sh.

export PATH=$here/gpu-check/stand-ins:$PATH dry_base=4 dry_size=32 dry_epochs=1
total=3600
if python3 -c 'import torch, torchvision' 2>/dev/null; then peer=(--tiny --device cpu); else peer=(--check-options); fi

# dry_test PROGRAM FLAGS…: every pattern of the filter has to match a test; the first test that matches runs.
dry_test() {
    local program=$1 word filter='*' pattern patterns list first=''
    for word in "$@"; do
        case "$word" in --gtest_filter=*) filter=${word#*=} ;; esac
    done
    [ "${filter#-}" = "$filter" ] || filter="*$filter"
    filter=${filter/-/:}
    IFS=: read -ra patterns <<<"$filter"
    for pattern in "${patterns[@]}"; do
        list=$("$program" --gtest_list_tests --gtest_filter="$pattern") || return 1
        grep -q '^  ' <<<"$list" || { echo "no test of $program matches '$pattern'"; return 98; }
        [ -n "$first" ] || first=$(awk '/^[^ ]/ {suite = $1} /^  / {print suite $1; exit}' <<<"$list")
    done
    "$program" --gtest_filter="$first"
}
export -f dry_test

# dry_command WORDS…: sets `command` to its tiny form. Nets on encoders and the
# layers of nets take the cpu: the emulator needs minutes for them.
dry_command() {
    local word before='' on=emulated program=''
    case " $* " in *" --encoder "* | *" bench kernels "*) on=cpu ;; esac
    command=()
    for word in "$@"; do
        case "$before" in
            --device) [ "$word" != cuda ] || word=$on ;;
            --precision) [ $on = emulated ] || word=fp32 ;;
            --encoder) word=resnet18 ;;
            --size) word=32 ;;
            --batch-size) word=2 ;;
            --base-channels) word=4 ;;
            --depth | --steps) word=1 ;;
            --repetitions) word=5 ;;
            --budget) word=0 ;;
        esac
        command+=("$word")
        before=$word
        case "$word" in "$bin"/* | *.py) program=$(basename "$word") ;; esac
    done
    case "$program" in
        kernel_times | full_size_check) command+=(--tiny) ;;
        gpu_steps.py | gpu_kernels.py) # PyTorch's compiler takes minutes on two cores
            case " $* " in *" compile_"* | *gpu_kernels.py*) command+=(--check-options) ;; *) command+=("${peer[@]}") ;; esac ;;
        test_*) command=(bash -c 'dry_test "$@"' dry_test "$bin/$program" "${command[@]}") ;;
    esac
}

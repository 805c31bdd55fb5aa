#!/usr/bin/env bash
# Builds and tests atrous, always against the emulated GPU.
#   scripts/test.sh          every test (about 10 minutes on 2 cores, build included)
#   scripts/test.sh --full   also: formatting, floors, reports in a browser, every fault, address and race checks of every kernel, fuzz targets,
#                            an installation, Debian packages, nvcc for sm_80 and sm_90a, the bundle for a GPU's machine, a dry run of what it does there
#   scripts/test.sh --full --within SECONDS   leaves out, and says so, what would not end within that time on two slow cores
set -euo pipefail
cd "$(dirname "$0")/.."

full=no within=0
while [ $# -gt 0 ]; do
    case "$1" in
        --full) full=yes; shift ;;
        --within) within=${2:?test.sh: --within needs a number of seconds}; shift 2 ;;
        *) echo "test.sh: unknown argument '$1'; usage: scripts/test.sh [--full [--within SECONDS]]" >&2; exit 2 ;;
    esac
done

step() { printf '\n== %s (%d s)\n' "$1" "$SECONDS"; }
build_and_test() { # preset, targets regex or "all", ctest arguments…
    local preset=$1 targets=$2
    shift 2
    cmake --preset "$preset" >"build/$preset.configure.log" 2>&1 || { cat "build/$preset.configure.log"; exit 1; }
    # shellcheck disable=SC2086
    cmake --build --preset "$preset" -j2 $([ "$targets" = all ] || echo --target $targets) >"build/$preset.build.log" 2>&1 ||
        { grep -E "error|FAILED|warning" -A4 "build/$preset.build.log" | head -60; exit 1; }
    ctest --test-dir "build/$preset" -j2 --output-on-failure "$@"
}

later() { # seconds that it takes on two slow cores, name, command: kept for run_what_fits
    later+=("$1"$'\t'"$2"$'\t'"$(printf '%q ' "${@:3}")")
}
run_what_fits() {
    local count=${#later[@]} first seconds name command left_out=()
    first=$(($(git rev-list --count HEAD) % count))
    for ((i = 0; i < count; ++i)); do
        IFS=$'\t' read -r seconds name command <<<"${later[$(((first + i) % count))]}"
        if [ "$within" -gt 0 ] && [ $((SECONDS + seconds)) -gt "$within" ]; then left_out+=("$name"); continue; fi
        step "$name"
        eval "$command"
    done
    for name in "${left_out[@]}"; do echo "left out for want of time: $name"; done
}

mkdir -p build
step "set-up"
if [ $full = yes ]; then scripts/setup.sh --checks; else scripts/setup.sh; fi

step "floors"
scripts/check_floors.sh
if [ $full = yes ]; then
    step "formatting"
    git ls-files '*.h' '*.cpp' '*.cu' | xargs clang-format-14 --dry-run --Werror
fi

step "build and tests, emulated platform"
build_and_test emulated all

if [ $full = yes ]; then
    step "hardening"
    scripts/check_hardening.sh build/emulated/bin/atrous
    step "every part of the check on a GPU, on the emulator"
    scripts/check_gpu_dry_run.sh build/emulated
    step "small trainings beside other programs"
    python3 benchmarks/beside_others.py build/emulated/bin/atrous --ways ours --repetitions 3 --check
    step "reports in a browser"
    scripts/check_report.sh build/emulated/bin/atrous
    step "faults: every system call that touches files, 100 random kills, full disks, soaks"
    python3 tests/apps/fault_sweep.py build/emulated/bin/atrous --full
    # Those below take longest. Where not all fit within the time, each commit begins with another one, so that a
    # few commits see them all.
    PATH=$PATH:/usr/local/cuda/bin
    later=()
    later 1400 "kernels under address and undefined-behaviour checks" \
        build_and_test asan "test_emulator test_kernels test_cases" -R '^(emulator|kernels|cases)$'
    later 1100 "kernels under race checks" \
        build_and_test check "test_emulator test_kernels test_cases" -R '^(emulator|kernels|cases)$'
    if command -v nvcc >/dev/null; then
        later 500 "nvcc: every kernel for sm_80, sm_90a and PTX, warnings, spills and rises of the kernel table are errors" \
            scripts/check_nvcc.sh
        later 1000 "the bundle for a GPU's machine, in an empty root" scripts/check_gpu_bundle.sh
    else
        echo "nvcc is not installed: the kernels were not compiled for a real GPU"
    fi
    later 550 "hostile files: fuzz targets, 5 s each" scripts/fuzz.sh 5
    later 250 "installed elsewhere: the program, the library, its examples" scripts/check_install.sh build/emulated
    later 520 "packed: Debian packages in a fresh Debian, with and without AVX-512" scripts/check_package.sh
    later 450 "emulated platform without any CUDA toolkit" scripts/check_without_cuda.sh
    run_what_fits
fi
step "done"

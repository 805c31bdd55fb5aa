#!/usr/bin/env bash
# Builds and tests atrous, always against the emulated GPU.
#   scripts/test.sh          every test (about 10 minutes on 2 cores, build included)
#   scripts/test.sh --full   also: formatting, floors, reports in a browser, every fault, address and race checks of every kernel, fuzz targets,
#                            an installation, Debian packages, nvcc for sm_80 and sm_90a, the bundle for a GPU's machine, a dry run of what it does there
set -euo pipefail
cd "$(dirname "$0")/.."

full=no
case "${1:-}" in
    "") ;;
    --full) full=yes ;;
    *) echo "test.sh: unknown argument '$1'; usage: scripts/test.sh [--full]" >&2; exit 2 ;;
esac

step() { printf '\n== %s (%d s)\n' "$1" "$SECONDS"; }
build_and_test() { # preset, targets regex or "all", ctest arguments…
    local preset=$1 targets=$2
    shift 2
    cmake --preset "$preset" >"build/$preset.configure.log" 2>&1 || { cat "build/$preset.configure.log"; exit 1; }
    # shellcheck disable=SC2086
    cmake --build --preset "$preset" -j2 $([ "$targets" = all ] || echo --target $targets) >"build/$preset.build.log" 2>&1 ||
        { grep -E "error|FAILED|warning" -A4 "build/$preset.build.log" | head -60; exit 1; }
    ctest --test-dir "build/$preset" --output-on-failure "$@"
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
    step "kernels under address and undefined-behaviour checks"
    build_and_test asan "test_emulator test_kernels test_cases" -R '^(emulator|kernels|cases)$'
    step "kernels under race checks"
    build_and_test check "test_emulator test_kernels test_cases" -R '^(emulator|kernels|cases)$'
    step "hostile files: fuzz targets, 5 s each"
    scripts/fuzz.sh 5
    step "installed elsewhere: the program, the library, its examples"
    scripts/check_install.sh build/emulated
    step "packed: Debian packages in a fresh Debian, with and without AVX-512"
    scripts/check_package.sh
    step "emulated platform without any CUDA toolkit"
    scripts/check_without_cuda.sh
    if command -v nvcc >/dev/null || [ -x /usr/local/cuda/bin/nvcc ]; then
        step "nvcc: every kernel for sm_80, sm_90a and PTX, warnings, spills and rises of the kernel table are errors"
        scripts/check_nvcc.sh
        step "the bundle for a GPU's machine, in an empty root"
        scripts/check_gpu_bundle.sh
    else
        echo "nvcc is not installed: the kernels were not compiled for a real GPU"
    fi
fi
step "done"

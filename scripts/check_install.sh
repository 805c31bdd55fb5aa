#!/usr/bin/env bash
# Installs a build, moves what was installed, and uses it as somebody else would: the program, its completion and manual
# page, every header, both examples through find_package(atrous), and the sources through add_subdirectory.
#   scripts/check_install.sh [BUILD_FOLDER]       default: build/emulated
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build/emulated}
source=$PWD work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "check_install.sh: $*" >&2; exit 1; }

cmake --build "$build" -j2 --target atrous_manual >"$work/log" 2>&1 || { tail -30 "$work/log"; exit 1; }
cmake --install "$build" --prefix "$work/first" >"$work/log"
mkdir "$work/elsewhere" && mv "$work/first" "$work/elsewhere/atrous"
prefix=$work/elsewhere/atrous
if grep -rlF -e "$source" -e "$work/first" "$prefix"; then fail "these files hold the path of the build or of the prefix"; fi
echo "installed $(find "$prefix" -type f | wc -l) files, $(du -sm "$prefix" | cut -f1) MiB; no path of the build in them"

words() { # what completion offers after the words given
    bash -c '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _atrous; echo "${COMPREPLY[*]}"' - \
        "$prefix/share/bash-completion/completions/atrous" "$@"
}
[ "$(words atrous sy)" = synth ] || fail "completion does not know the verb synth"
[ "$(words atrous train --batch-s)" = --batch-size ] || fail "completion does not know --batch-size"
[ "$(words atrous train --precision b)" = bf16 ] || fail "completion does not know bf16"
for verb in TRAIN "RUN\\\\-OP"; do grep -q "^.SH ATROUS $verb" "$prefix/share/man/man1/atrous.1" || fail "the manual lacks $verb"; done
if command -v man >/dev/null; then
    complaints=$(MANWIDTH=120 LC_ALL=C.UTF-8 man --warnings -l "$prefix/share/man/man1/atrous.1" 2>&1 >/dev/null)
    [ -z "$complaints" ] || fail "the manual page: $complaints"
fi

"$prefix/bin/atrous" bench kernels --counters --device emulated --op relu --shape 1x4x4x8 --json "$work/counters" >"$work/log"
grep -q '"kernels/cuda/activation.cu:[0-9]' "$work/counters" || fail "the counters of kernels do not know their source lines"

cp -r examples "$work/examples"
for example in train predict; do
    cmake -S "$work/examples/$example" -B "$work/$example" -G Ninja -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_BUILD_TYPE=Release \
          -DCMAKE_EXPORT_COMPILE_COMMANDS=ON >"$work/log"
    cmake --build "$work/$example" >"$work/log" || { tail -30 "$work/log"; fail "examples/$example does not build"; }
done
(cd "$prefix/include" && find atrous -name '*.h') | sed 's/.*/#include <&>/' >"$work/headers.cpp"
g++ -std=c++20 -Wall -Wextra -fsyntax-only -I"$prefix/include" -I"$prefix/include/atrous" "$work/headers.cpp" ||
    fail "an installed header does not compile"
echo "both examples build against it; $(wc -l <"$work/headers.cpp") headers compile"

export OMP_WAIT_POLICY=passive
cd "$work"
"$prefix/bin/atrous" synth --output data --count 40 --size 64 --seed 1 >log
train/train run data | tee log
awk '/^epoch/ {sub(/,/, "", $4); if (!first) first = $4; last = $4} END {exit !(last < 0.6 * first)}' log ||
    fail "the loss of examples/train does not fall"
image=$(find data/val/images -name '*.png' | sort | sed -n 1p)
mkdir mine && predict/predict run "$image" mine | tee log
grep -q "[1-9].* % foreground" log || fail "the mask of examples/predict is empty"
"$prefix/bin/atrous" predict "$image" --checkpoint run --output theirs --save binary >log
cmp mine/mask_binary.png theirs/*_binary.png || fail "examples/predict and atrous predict differ"

# As a part of another project, whose flags and folders stay its own.
mkdir other && cat >other/CMakeLists.txt <<END
cmake_minimum_required(VERSION 3.22)
project(other LANGUAGES CXX)
add_subdirectory("$source" atrous EXCLUDE_FROM_ALL)
if(DEFINED CMAKE_RUNTIME_OUTPUT_DIRECTORY OR NOT CMAKE_CXX_FLAGS_RELEASE STREQUAL "\${ATROUS_EXPECTED}" OR ATROUS_TESTS)
  message(FATAL_ERROR "atrous changed the settings of the project that it is part of")
endif()
add_executable(other other.cpp)
target_link_libraries(other PRIVATE atrous::base)
add_executable(predict "$source/examples/predict/predict.cpp")
target_link_libraries(predict PRIVATE atrous::segmentation)
END
cat >other/other.cpp <<END
#include "base/sha256.h"
int main() {}
END
cmake -S other -B other/build -G Ninja -DCMAKE_BUILD_TYPE=Release -DATROUS_PLATFORM=emulated -DATROUS_EXPECTED="-O3 -DNDEBUG" >log
cmake --build other/build --target other >log || { tail -30 log; fail "add_subdirectory does not build"; }
other/build/other
echo "install: in order"

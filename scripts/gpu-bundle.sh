#!/usr/bin/env bash
# Packs what scripts/gpu-check.sh needs on a machine that has an NVIDIA GPU of capability 9.0, Python with PyTorch, and
# nothing else of ours: stripped binaries with sm_90a code, the libraries they use (glibc excepted), the expected values
# of the tests, PyTorch's side of the benchmarks, and one small data set where there is one.
#   scripts/gpu-bundle.sh [FILE]        default: build/gpu-bundle/atrous-gpu.tar.xz
#   scripts/gpu-bundle.sh --only NAME…   builds these programs anew and packs them alone (FILE: atrous-gpu-NAME.tar.xz): unpacked
#                                        over the bundle they take the places of the old ones
# There:  tar xf atrous-gpu.tar.xz (or python3 -m tarfile -e atrous-gpu.tar.xz .) && atrous-gpu/gpu-check.sh correctness FOLDER
set -euo pipefail
start=$PWD
cd "$(dirname "$0")/.."
programs=(atrous kernel_times full_size_check test_kernels test_cases test_engine test_models test_apps) some=no
if [ "${1:-}" = --only ]; then
    shift
    [ $# -gt 0 ] || { echo "gpu-bundle.sh: --only needs names: ${programs[*]}" >&2; exit 2; }
    for name in "$@"; do
        [[ " ${programs[*]} " == *" $name "* ]] || { echo "gpu-bundle.sh: no program '$name'; there are ${programs[*]}" >&2; exit 2; }
    done
    programs=("$@") some=yes
    set -- "$PWD/build/gpu-bundle/atrous-gpu-$1.tar.xz"
fi
file=${1:-$PWD/build/gpu-bundle/atrous-gpu.tar.xz}
case "$file" in /*) ;; *) file=$start/$file ;; esac
limit_mib=40
data=${ATROUS_SHARED_DATA:-../shared/data}/dsb2018

PATH=$PATH:/usr/local/cuda/bin
command -v nvcc >/dev/null || { echo "gpu-bundle.sh: nvcc is not in PATH nor in /usr/local/cuda/bin; install the CUDA toolkit" >&2; exit 1; }

# x86-64-v3 runs on any server of the last ten years. DT_RPATH, unlike RUNPATH, also finds what libraries want.
cmake -S . -B build/gpu -G Ninja -DATROUS_PLATFORM=cuda -DATROUS_CUDA_ARCHITECTURES=90a-real -DATROUS_CPU_ARCH=x86-64-v3 \
    '-DCMAKE_BUILD_RPATH=$ORIGIN/../lib' -DCMAKE_EXE_LINKER_FLAGS=-Wl,--disable-new-dtags >build/gpu.configure.log
cmake --build build/gpu -j2 --target "${programs[@]}" >build/gpu.build.log || { grep -E "error|FAILED" -A4 build/gpu.build.log | head -40; exit 1; }

top=build/gpu-bundle/atrous-gpu
[ $some = yes ] || rm -rf $top
mkdir -p $top/bin $top/lib $top/tests $top/benchmarks $top/data
for name in "${programs[@]}"; do strip -o $top/bin/$name build/gpu/bin/$name; done
# One test of the emulated platform, to tell a broken machine from a broken kernel.
if [ -x build/emulated/bin/test_kernels ]; then strip -o $top/bin/emulated_test_kernels build/emulated/bin/test_kernels; fi
cp "$(find build/gpu -name 'libfake_library.so')" $top/lib/
glibc='^(linux-vdso|ld-linux.*|lib(c|m|dl|rt|pthread|resolv|util|mvec|nsl))\.so'
libtiff=$(ldconfig -p | awk '/libtiff\.so\.6 .*x86-64/ && !found++ {print $NF}') # opened when a TIFF comes
{ for binary in $top/bin/* $libtiff; do ldd "$binary"; done && echo "libtiff.so.6 => $libtiff"; } | awk '$2 == "=>" && $3 ~ /^\// {print $3}' | sort -u | while read -r library; do
    case "$library" in */$top/bin/*) continue ;; esac # of an earlier bundle
    if ! grep -qE "$glibc" <<<"${library##*/}"; then cp -L "$library" $top/lib/; fi
done
cp -r tests/goldens tests/gpu $top/tests/
mkdir -p $top/tests/apps
cp tests/apps/*.py $top/tests/apps/
cp -r benchmarks/peers benchmarks/compare_curves.py $top/benchmarks/
mkdir -p $top/gpu-check
cp scripts/gpu-check.sh $top/
cp scripts/gpu-check/*.sh $top/gpu-check/
find $top -name __pycache__ -prune -exec rm -rf {} +
if [ -d "$data" ]; then cp -r "$data" $top/data/; else echo "gpu-bundle.sh: $data is not here: the trainings that are compared with the cpu's will fail"; fi
{
    echo "commit $(git rev-parse HEAD 2>/dev/null || echo unknown)$(git diff --quiet HEAD 2>/dev/null || echo ' with changes')"
    nvcc --version | grep release
    ldd --version | sed -n 1p
} >$top/VERSION

# The binaries hold the same kernels again and again: a window that spans them all packs these once.
mkdir -p "$(dirname "$file")"
packed=(atrous-gpu)
if [ $some = yes ]; then packed=("${programs[@]/#/atrous-gpu/bin/}" atrous-gpu/{gpu-check.sh,gpu-check,benchmarks,VERSION}); fi
tar -C "$(dirname $top)" --sort=name -cf - "${packed[@]}" | xz --lzma2=preset=3,dict=128MiB >"$file"
size=$(stat -c %s "$file")
echo "$file: $((size / 1024)) KiB, $(find $top -type f | wc -l) files, $(du -sm $top | cut -f1) MiB unpacked"
if [ "$size" -gt $((limit_mib * 1024 * 1024)) ]; then echo "gpu-bundle.sh: more than $limit_mib MiB" >&2; exit 1; fi

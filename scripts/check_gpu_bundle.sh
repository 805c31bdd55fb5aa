#!/usr/bin/env bash
# Packs the bundle for a GPU's machine, unpacks it in a root that holds glibc and nothing else, and runs there: atrous
# devices (the binary with GPU code starts without a driver) and one test of the emulated platform.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/gpu-bundle.sh
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
tar -C "$root" -xf build/gpu-bundle/atrous-gpu.tar.xz
for library in $(ldd /bin/sh | grep -oE '/[^ ]*(ld-linux|libc\.so)[^ ]*'); do
    folder=$(dirname "$library")
    mkdir -p "$root$folder" "$root/tmp"
    for name in "$(basename "$library")" libm.so.6 libpthread.so.0 libdl.so.2 librt.so.1; do
        if [ -e "$folder/$name" ]; then cp -L "$folder/$name" "$root$folder/"; fi
    done
done

# $ORIGIN is read from /proc, which an empty root has not: LD_ORIGIN_PATH stands in for it.
inside() {
    local enter=("$(PATH=$PATH:/usr/sbin command -v chroot)")
    [ "$(id -u)" -eq 0 ] || enter=("$(command -v unshare)" -r "${enter[@]}")
    env -i LD_ORIGIN_PATH=/atrous-gpu/bin LD_LIBRARY_PATH=$library_path OMP_WAIT_POLICY=passive TMPDIR=/tmp "${enter[@]}" "$root" "$@"
}
library_path= # what was built for the bundle finds its libraries by itself
devices=$(inside /atrous-gpu/bin/atrous devices)
echo "$devices"
grep -qE '^cuda  ' <<<"$devices" || { echo "check_gpu_bundle: atrous devices says nothing of cuda" >&2; exit 1; }
library_path=/atrous-gpu/lib
tests=$(inside /atrous-gpu/bin/emulated_test_kernels --gtest_filter=PointwiseCuda.Activations)
grep -q '\[  PASSED  \] 1 test' <<<"$tests" || { echo "$tests"; echo "check_gpu_bundle: the emulated test did not pass" >&2; exit 1; }
for binary in "$root"/atrous-gpu/bin/*; do
    name=$(basename "$binary")
    case "$name" in
        atrous | kernel_times | full_size_check) ;; # the latter two want a GPU
        *) inside "/atrous-gpu/bin/$name" --gtest_list_tests >/dev/null || { echo "check_gpu_bundle: $name does not start" >&2; exit 1; } ;;
    esac
done
# One program mended and packed alone takes its place over the bundle.
scripts/gpu-bundle.sh --only full_size_check
rm "$root/atrous-gpu/bin/full_size_check"
tar -C "$root" -xf build/gpu-bundle/atrous-gpu-full_size_check.tar.xz
[ -x "$root/atrous-gpu/bin/full_size_check" ] || { echo "check_gpu_bundle: --only packed no full_size_check" >&2; exit 1; }
echo "the bundle starts in an empty root; one emulated test passed there"

#!/usr/bin/env bash
# Packs the program and uses the Debian packages in a system that has nothing else: a fresh Debian 12, where apt-get
# finds what they depend on. Then without AVX-512, in an emulated Haswell, where qemu-user is installed.
#   scripts/check_package.sh          as root; needs debootstrap and a Debian mirror
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "check_package.sh: $*" >&2; exit 1; }
command -v debootstrap >/dev/null || fail "debootstrap is not here; install it: apt-get install debootstrap"

cmake --preset package >build/package.configure.log
cmake --build --preset package -j2 >build/package.build.log || { grep -E "error|FAILED" -A4 build/package.build.log; exit 1; }
rm -rf build/package/packages
(cd build/package && cpack -B packages >../package.cpack.log) || { cat build/package.cpack.log; exit 1; }
packages=build/package/packages
ls -sh "$packages"/*.{deb,tar.gz}
dpkg-deb -f "$packages"/atrous_*.deb Depends | tee "$work/depends"
grep -q libdnnl "$work/depends" || fail "the package does not say that it needs oneDNN"

# The system is kept, packed, for the next time.
root=$work/root clean=build/clean-root.tar
if [ ! -e "$clean" ]; then
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Codename: bookworm' | sed -n 1p)
    debootstrap --variant=minbase bookworm "$work/new" "$mirror" >build/debootstrap.log || { tail build/debootstrap.log; exit 1; }
    tar -C "$work/new" -cf "$clean" .
fi
mkdir "$root" && tar -C "$root" -xf "$clean"
cp /etc/resolv.conf "$root/etc/"
cp "$packages"/atrous_*.deb "$root/tmp/atrous.deb"
printf 'II*\0' >"$root/tmp/damaged.tif"
inside() { # a command, with /proc mounted as long as it runs
    unshare --mount sh -c 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"' "$root" \
        env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root ${http_proxy:+http_proxy=$http_proxy} "$@"
}
echo "in a fresh Debian $(cat "$root/etc/debian_version"):"
inside sh -c 'apt-get update -qq && apt-get install -y -qq --no-install-recommends /tmp/atrous.deb' >"$work/log" 2>&1 || { tail "$work/log"; fail "it does not install"; }
inside atrous devices
inside sh -c 'cd /tmp && atrous synth --output data --count 20 --size 64 &&
    atrous train --data data --size 64 --base-channels 8 --epochs 2 --batch-size 4 --output-dir run &&
    atrous predict data/val/images --checkpoint run --output out --save binary' >"$work/log" || { tail "$work/log"; fail "it does not work"; }
echo "train and predict: $(find "$root/tmp/out" -name '*_binary.png' | wc -l) masks"

inside atrous bench kernels --counters --device emulated --op relu --shape 1x4x4x8 --json /tmp/counters >"$work/log" &&
    grep -q "activation_forward<Relu, float, 4>" "$work/log" && grep -q '"kernels/cuda/activation.cu:[0-9]' "$root/tmp/counters" || fail "the counters of kernels do not work, or do not know their source lines"

# libtiff is opened at run time: what it says of a damaged file shows that it is there.
if inside atrous predict /tmp/damaged.tif --checkpoint /tmp/run --output /tmp/none >"$work/log" 2>&1; then fail "a damaged TIFF is read"; fi
if ! grep -q damaged.tif "$work/log" || grep -q "cannot be opened" "$work/log"; then cat "$work/log"; fail "libtiff is not there"; fi

# The variants: x86-64-v3 gives the same weights here and where there is no more, and what cannot be is refused.
program=$root/usr/bin/atrous
run() { # name, environment and program…: a short training
    local name=$1
    shift
    env OMP_WAIT_POLICY=passive "$@" train --data "$root/tmp/data" --size 32 --base-channels 4 --depth 2 --epochs 1 --batch-size 4 \
        --threads 1 --output-dir "$work/$name" >"$work/log" 2>&1 || { tail "$work/log"; fail "$name: it does not train"; }
    sed -n 2p "$work/$name/metrics.csv" | cut -d, -f4-5
}
echo "as the processor is: $(run native "$program")"
echo "x86-64-v3:           $(run v3 ATROUS_CPU_ARCH=x86-64-v3 "$program")"
if ATROUS_CPU_ARCH=x86-64-v5 "$program" --help >"$work/log" 2>&1; then fail "an unknown ATROUS_CPU_ARCH is not refused"; fi
if command -v qemu-x86_64 >/dev/null; then
    echo "emulated Haswell:    $(run haswell qemu-x86_64 -cpu Haswell "$program")"
    cmp "$work"/{v3,haswell}/best.safetensors || fail "x86-64-v3 gives other weights here than on a Haswell"
    code=0
    qemu-x86_64 -cpu Nehalem "$program" --help >"$work/log" 2>&1 || code=$?
    [ $code = 5 ] || fail "a processor without AVX2 is not refused with exit code 5, but $code: $(cat "$work/log")"
fi
inside apt-get purge -y -qq atrous >"$work/log" 2>&1
[ ! -e "$root/usr/bin/atrous" ] || fail "it does not go away"

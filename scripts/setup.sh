#!/usr/bin/env bash
# Installs what building and testing atrous needs on Debian 12 (or a relative), unless it is there already.
#   scripts/setup.sh            compiler, CMake, the libraries, and what the tests break trainings with (Python, strace)
#   scripts/setup.sh --checks   also what the full test run uses: clang and its formatter, a browser, what packs and tries packages
set -euo pipefail

packages=(g++ binutils cmake ninja-build libdnnl-dev libturbojpeg0-dev libpng-dev libtiff-dev libwebp-dev libgif-dev zlib1g-dev libstb-dev
          fonts-dejavu-core libcli11-dev libtomlplusplus-dev nlohmann-json3-dev libfmt-dev libgtest-dev python3 strace util-linux)
[ "${1:-}" = "--checks" ] && packages+=(clang-14 libclang-rt-14-dev clang-format-14 man-db dpkg-dev debootstrap qemu-user
                                          chromium chromium-driver python3-selenium)

missing=()
for package in "${packages[@]}"; do
    [ "$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null)" = "install ok installed" ] || missing+=("$package")
done
with_checks=${1:-}
disassembler() { # cuobjdump and nvdisasm for a toolkit without them; where there is no pip, issue slots are not counted
    local path release version why tools=build/cuda-tools
    path=$PATH:/usr/local/cuda/bin$(printf ':%s' $tools/nvidia/*/bin)
    if [ "$with_checks" != --checks ] || ! PATH=$path command -v nvcc >/dev/null; then return 0; fi
    if PATH=$path command -v cuobjdump >/dev/null && PATH=$path command -v nvdisasm >/dev/null; then return 0; fi
    rm -rf $tools # what an interrupted installation left
    release=$(PATH=$path nvcc --version | sed -n 's/.*release \([0-9.]*\),.*/\1/p')
    for version in "$release.*" 13.2.78; do # nvcc's own release where it is offered; a newer one reads it too
        why=$(python3 -m pip install -q --root-user-action=ignore --target $tools "nvidia-cuda-cuobjdump==$version" \
            "nvidia-cuda-nvdisasm==$version" 2>&1) && return 0
    done
    rm -rf $tools
    printf '%s\nsetup: cuobjdump and nvdisasm were not installed: issue slots of kernels will not be counted\n' "$why" >&2
}
cd "$(dirname "$0")/.."
if [ ${#missing[@]} -eq 0 ]; then disassembler; exit 0; fi

if ! command -v apt-get >/dev/null; then
    echo "setup: this system has no apt-get; install the equivalents of: ${missing[*]}" >&2
    exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "setup: run as root, or install: apt-get install ${missing[*]}" >&2; exit 1; }
    as_root=(sudo)
fi
echo "setup: installing ${missing[*]}"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
disassembler

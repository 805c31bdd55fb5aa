#!/usr/bin/env bash
# Says whether a program was linked and compiled as cmake/AtrousHardening.cmake means it.
#   scripts/check_hardening.sh PROGRAM
set -euo pipefail
if [ $# -ne 1 ] || [ ! -f "$1" ]; then echo "check_hardening.sh: usage: scripts/check_hardening.sh PROGRAM" >&2; exit 2; fi
command -v readelf >/dev/null || { echo "check_hardening.sh: readelf is missing; install it: apt-get install binutils" >&2; exit 2; }
failed=0

# expect TEXT REGEX WHAT
expect() {
    grep -qE "$2" <<<"$1" && return
    echo "$program: $3" >&2
    failed=1
}

program=$1
dynamic=$(readelf -dW "$program") headers=$(readelf -lhW "$program") symbols=$(readelf --dyn-syms -W "$program")
expect "$headers" '^ *Type: +DYN' "no position-independent executable; expected -pie"
expect "$dynamic" '\(FLAGS_1\).*\bPIE\b' "no position-independent executable; expected -pie"
expect "$dynamic" '\(FLAGS\).*\bBIND_NOW\b|\(BIND_NOW\)' "functions are looked up late; expected -Wl,-z,now"
expect "$headers" 'GNU_RELRO' "its tables stay writable; expected -Wl,-z,relro"
expect "$headers" 'GNU_STACK .* RW ' "its stack can be executed; expected -Wl,-z,noexecstack"
expect "$symbols" ' UND __[a-z]+_chk(@|$)' "no checked copy is called; expected -D_FORTIFY_SOURCE=2"
# Not of hardening, but seen in the same table.
if grep -q 'NEEDED.*libtiff' <<<"$dynamic"; then
    echo "$program: links libtiff and the eight libraries it brings; expected data/libtiff.h to open it" >&2
    failed=1
fi
[ $failed = 0 ] && echo "$program: position-independent, bound before main, read-only tables, checked copies"
exit $failed

#!/usr/bin/env bash
# The table of source lines that atrous-traced names: where each recorded instruction stands, and the text of those files.
# It is made once, when the program is built, so that a program without debug information knows them too.
#   scripts/kernel_lines.sh PROGRAM SOURCE_FOLDER > TABLE
# Lines: N index name (of a function); L index function file:line… (innermost first); S address L; K address N (a function
# begins there); T file lines, and then its text.
set -euo pipefail
program=$1 source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# An access calls a hook; it is known by the address that the call returns to.
objdump -d --no-show-raw-insn "$program" | awk '
    called { sub(/:$/, "", $1); print called, "0x" $1; called = "" }
    /call .*<__tsan_(unaligned_|volatile_)?(read|write)/ { called = $1; sub(/:$/, "", called) }' >"$work/calls"
nm -C --defined-only "$program" | grep -E ' [tTwW] .*atrous::' >"$work/functions"
cut -d" " -f1 "$work/calls" | addr2line -aCfi -e "$program" | awk -v functions="$work/functions" -v source="$source" -v calls="$work/calls" '
    function number(name) {
        if (!(name in numbers)) { numbers[name] = ++names; print "N", names, name }
        return numbers[name]
    }
    function finish() {
        if (frames == "") return
        frames = number(outermost) frames
        if (!(frames in lines)) { lines[frames] = ++count; print "L", count, frames }
        print "S", address, lines[frames]
    }
    /^0x/ { finish(); getline line <calls; split(line, part, " "); address = part[2]; frames = ""; place = 0; next }
    !place { name = $0; place = 1; next }
    {
        place = 0
        sub(/ \(discriminator.*/, "")
        if (sub(/^.*\/atrous\//, "") && $0 !~ /^kernels\/gpu\/emu\// && $0 !~ /:(0|\?)$/) {
            frames = frames " " $0
            outermost = name
            sub(/:[0-9]*$/, "")
            files[$0] = 1
        }
    }
    END {
        finish()
        while ((getline line < functions) > 0) {
            split(line, part, " ")
            name = line
            sub(/^[^ ]* [^ ]* /, "", name)
            if (name in numbers) print "K", "0x" part[1], numbers[name]
        }
        for (file in files) {
            text = ""
            n = 0
            while ((getline line < (source "/" file)) > 0) { text = text line "\n"; ++n }
            printf "T %s %d\n%s", file, n, text
        }
    }'

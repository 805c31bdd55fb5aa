#!/usr/bin/env bash
# Writes the source that defines what the variants of a library offer: each name is a jump to the chosen variant's.
#   dispatch_variants.sh LIBRARY OUTPUT VARIANT… -- SYMBOLS…      one file of symbols a variant
set -euo pipefail
library=$1 output=$2
shift 2
variants=()
while [ "$1" != "--" ]; do variants+=("${1//-/_}"); shift; done
shift
for file in "$@"; do
    cmp -s "$1" "$file" || { echo "dispatch_variants.sh: $1 and $file do not offer the same" >&2; exit 1; }
done
mapfile -t names <"$1"
count=${#names[@]} table=${library}_chosen

{
    echo "// What $library offers, by jumps to the variant for this processor. Made by scripts/dispatch_variants.sh."
    echo '#include "base/cpu_variant.h"'
    echo 'extern "C" {'
    for v in "${!variants[@]}"; do
        for i in "${!names[@]}"; do echo "void ${library}_v${v}_$i() asm(\"${variants[v]}_${names[i]}\");"; done
    done
    echo "[[gnu::visibility(\"hidden\"), gnu::used]] void (*$table[$count])();"
    for i in "${!names[@]}"; do
        echo "void ${library}_jump_$i() asm(\"${names[i]}\");"
        echo "[[gnu::naked]] void ${library}_jump_$i() { asm(\"jmp *$table+$((8 * i))(%rip)\"); }"
    done
    echo "}"
    echo "static void (*const of_variant[atrous::cpu_variants][$count])() = {"
    for v in "${!variants[@]}"; do
        echo "    {"
        for i in "${!names[@]}"; do echo "        ${library}_v${v}_$i,"; done
        echo "    },"
    done
    echo "};"
    echo "// Before any other constructor, which may already call what is offered."
    echo "[[gnu::constructor(101)]] static void choose() {"
    echo "    const int variant = atrous::cpu_variant();"
    echo "    for (int i = 0; i < $count; ++i) $table[i] = of_variant[variant][i];"
    echo "}"
} >"$output"

#!/usr/bin/env bash
# Makes one object of those that hold vectorized code for one kind of processor, with no name in common with any other:
# what it offers is called "VARIANT_NAME", everything else is local to it.
#   merge_variant.sh VARIANT OUTPUT OBJECT…       also writes OUTPUT.symbols, the names it offers
set -euo pipefail
variant=${1//-/_} output=$2
shift 2
merged=$output.merged

"${LD:-ld}" -r --force-group-allocation -o "$merged" "$@"

# Inline functions' variables would be one a variant, which nothing that means to share them expects.
# (DW.ref.* are addresses that exception tables lead through.)
shared=$("${READELF:-readelf}" -SW "$merged" | awk '/\] \.(bss|data|tbss|tdata)\./ && !/\.data\.rel\.ro/ && !/DW\.ref\./')
if [ -n "$shared" ]; then
    printf 'merge_variant.sh: %s: inline code holds variables; define them in a source outside of it:\n%s\n' "$variant" "$shared" >&2
    exit 1
fi
if "${NM:-nm}" -g --defined-only "$merged" | awk '$2 ~ /[BDRGSC]/ {print; found = 1} END {exit !found}' >&2; then
    echo "merge_variant.sh: $variant: only functions can be dispatched, and this is global data" >&2
    exit 1
fi
"${NM:-nm}" -g --defined-only "$merged" | awk '$2 == "T" {print $3}' | sort >"$output.symbols"
awk -v v="$variant" '{print $1, v "_" $1}' "$output.symbols" >"$output.renamed"
cut -d' ' -f2 "$output.renamed" >"$output.kept"
"${OBJCOPY:-objcopy}" --redefine-syms="$output.renamed" "$merged"
"${OBJCOPY:-objcopy}" --keep-global-symbols="$output.kept" "$merged" "$output"
rm "$merged" "$output.renamed" "$output.kept"

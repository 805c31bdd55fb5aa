#!/usr/bin/env bash
# Writes bash's completion for the program, from what the program says of itself: verbs, options, and the words that an
# option may be.
#   completion.sh PROGRAM > atrous.bash
set -euo pipefail
program=$1
. "$(dirname "$0")/help_of.sh"

# Lines "option words…", of the lines "  -b, --name KIND   help [a, b or c; default a]" and those that go on with the help.
options() {
    help_of "$1" | awk '
        function said() {
            if (name == "") return
            words = ""
            if (kind ~ /^WORD/ && match(text, /\[[^][]*\]$/)) {
                words = substr(text, RSTART + 1, RLENGTH - 2)
                sub(/;.*/, "", words); sub(/^any of /, "", words); gsub(/,? or |, /, " ", words)
            }
            print name, words
            name = text = ""
        }
        /^  (-[a-zA-Z], )?--/ {
            said()
            match($0, /--[a-z0-9-]+/); name = substr($0, RSTART, RLENGTH)
            rest = substr($0, RSTART + RLENGTH); kind = rest; sub(/^ */, "", kind); text = rest
            next
        }
        /^   / {sub(/^ */, " "); text = text $0; next}
        {said()}
        END {said()}' | sort -u
}

echo "# bash completion for atrous"
echo "_atrous() {"
echo "    local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]} options= words="
echo "    if [ \"\$COMP_CWORD\" = 1 ]; then COMPREPLY=(\$(compgen -W '$(verbs | xargs)' -- \"\$word\")); return; fi"
echo "    case \${COMP_WORDS[1]} in"
for verb in $(verbs); do
    echo "    $verb) options='$(options "$verb" | cut -d' ' -f1 | xargs)'"
    echo "        case \$before in"
    options "$verb" | sed -n "s/^\(--[a-z0-9-]*\) \(..*\)/        \1) words='\2' ;;/p"
    [ "$verb" != bench ] || echo "        bench) words='kernels step' ;;"
    [ "$verb" != data ] || echo "        data) words='check show' ;;"
    echo "        esac ;;"
done
cat <<'END'
    esac
    if [ -n "$words" ]; then
        COMPREPLY=($(compgen -W "$words" -- "$word"))
    elif [[ $word == -* ]]; then
        COMPREPLY=($(compgen -W "$options" -- "$word"))
    fi
}
complete -o default -F _atrous atrous
END

# Sourced by manual.sh and completion.sh: what a program says of itself. $program is the program.
verbs() { # the lines "  name      what it does" of the help
    "$program" --help | sed -n 's/^  \([a-z-]*\)  .*/\1/p'
}
help_of() { # verb; that of a verb with kinds, "bench kernels" and "bench step", is its kinds'
    if [ "$1" = bench ]; then
        "$program" bench kernels --help-all && echo && "$program" bench step --help-all
    elif [ "$1" = data ]; then
        "$program" data check --help-all && echo && "$program" data show --help-all
    else
        "$program" "$1" --help-all
    fi
}

#!/usr/bin/env bash
# Writes the manual page of the program, from what the program says of itself.
#   manual.sh PROGRAM VERSION > atrous.1
set -euo pipefail
program=$1 version=$2
. "$(dirname "$0")/help_of.sh"

as_is() { printf '.nf\n'; sed -e 's/\\/\\e/g' -e 's/-/\\-/g' -e "s/^\([.']\)/\\\\\&\1/"; printf '\n.fi\n'; }

cat <<END
.TH ATROUS 1 "" "atrous $version" "User Commands"
.SH NAME
atrous \\- image segmentation, trained and run from the command line
.SH SYNOPSIS
.B atrous
VERB [options]
.SH DESCRIPTION
END
"$program" --help | as_is
for verb in $(verbs); do
    name=${verb^^}
    echo ".SH ATROUS ${name//-/\\-}"
    help_of "$verb" | as_is
done

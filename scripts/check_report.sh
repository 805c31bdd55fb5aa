#!/usr/bin/env bash
# Opens the reports of tiny trainings, the page that compares them, and the pages of `atrous inspect` for nets and kernels in a
# browser without a window and without a network, and holds what is shown against the runs' own files, the engine's numbers and
# the kernels' traces.
#   scripts/check_report.sh PROGRAM [FOLDER FOR SCREENSHOTS]
set -euo pipefail
if [ $# -lt 1 ] || [ ! -f "$1" ]; then
    echo "check_report.sh: usage: scripts/check_report.sh PROGRAM [FOLDER FOR SCREENSHOTS]" >&2
    exit 2
fi
program=$(realpath "$1")
shots=${2:+$(realpath "$2")}
cd "$(dirname "$0")/.."
for python in python3 /usr/bin/python3; do # a virtual environment hides the system's modules
    if "$python" -c 'import selenium' 2>/dev/null; then
        "$python" tests/apps/report_browser.py "$program" ${shots:+"$shots"}
        "$python" tests/apps/study_browser.py "$program" ${shots:+"$shots"}
        exec "$python" tests/apps/kernel_browser.py "$program" ${shots:+"$shots"}
    fi
done
echo "check_report.sh: no Python has selenium; install it: apt-get install chromium chromium-driver python3-selenium" >&2
exit 2

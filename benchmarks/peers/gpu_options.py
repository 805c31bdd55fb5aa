"""The options of gpu_steps.py and gpu_kernels.py, read before PyTorch is imported: a wrong one is told at once, and
--check-options tells on a machine without PyTorch whether they are right."""
import argparse
import sys
import time

STARTED = time.monotonic()  # importing PyTorch counts against the budget


def parser(description):
    p = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--out", help="JSON lines go here as well as to stdout")
    p.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    p.add_argument("--tiny", action="store_true", help="small shapes, to try the program out")
    p.add_argument("--budget-s", type=float, default=300, help="what would not fit is skipped, and said so")
    p.add_argument("--only", default="", help="cases whose name contains this")
    p.add_argument("--check-options", action="store_true", help="read the options and leave")
    return p


def parsed(p):
    o = p.parse_args()
    if o.check_options:
        print("the options are right")
        sys.exit(0)
    return o

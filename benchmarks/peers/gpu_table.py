#!/usr/bin/env python3
"""Sets our times beside PyTorch's: reads every JSON line in the logs of a folder, prints a table of ratios.

    python3 benchmarks/peers/gpu_table.py FOLDER

A ratio is theirs / ours (above 1: we are faster), theirs being the fastest variant of the same work.
"""
import json
import os
import sys


def rows_in(folder):
    for name in sorted(os.listdir(folder)):
        if name.endswith(".log") and name != "table.log":
            with open(os.path.join(folder, name), errors="replace") as file:
                for line in file:
                    if line.startswith("{"):
                        try:
                            yield name, json.loads(line)
                        except ValueError:
                            pass  # a line that a stopped program left


def steps(rows):
    ours = [(name, r) for name, r in rows if r.get("engine") == "atrous" and "median_s" in r]
    theirs = {r["variant"]: r for _, r in rows if r.get("kind") == "step" and r.get("status") == "ok"}
    for name, r in ours:
        print(f"step  atrous {r['precision']:5} {r['median_s'] * 1e3:9.2f} ms  losses {r['losses'][:4]}  ({name})")
    for variant, r in theirs.items():
        print(f"step  torch {variant:22} {r['ms_median']:9.2f} ms  losses {r['losses'][:4]}")
    halves = [r["median_s"] * 1e3 for _, r in ours if r["precision"] == "bf16"]
    fastest = [r["ms_median"] for variant, r in theirs.items() if "fp32" not in variant]
    if halves and fastest:
        print(f"ratio step_half {min(fastest) / min(halves):.3f}")


def kernels(rows):
    ours, theirs = {}, {}
    for _, r in rows:
        if r.get("kind") == "kernel":
            key = r["op"], r["direction"], r["dtype"]
            if r.get("engine") == "atrous":
                ours[key] = r
            elif key not in theirs or r["ms_median"] < theirs[key]["ms_median"]:
                theirs[key] = r
    for key, r in ours.items():
        peer = theirs.get(key)
        rate = f"{r['tflop_s']:7.1f} TFLOP/s" if "tflop_s" in r else f"{r['gb_s']:7.0f} GB/s   "
        against = f"{peer['ms_median']:9.4f} ms {peer['mode']:8} ratio {peer['ms_median'] / r['ms_median']:.3f}" if peer else ""
        print(f"{key[0]:32} {key[1]:16} {key[2]:5} {r['ms_median']:9.4f} ms {rate} {against}")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    rows = list(rows_in(sys.argv[1]))
    for _, r in rows:
        if r.get("kind") in ("ceilings", "summary"):
            print(json.dumps(r))
    steps(rows)
    kernels(rows)
    if not any(r.get("engine") == "atrous" for _, r in rows):
        sys.exit("gpu_table: no time of ours in " + sys.argv[1])


if __name__ == "__main__":
    main()

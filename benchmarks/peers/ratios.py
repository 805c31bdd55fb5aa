#!/usr/bin/env python3
"""Prints what compare.sh measured as lines "ratio <what> <figure>", and shows that both sides did the same work.

    python3 benchmarks/peers/ratios.py build/compare/*.jsonl

Each file holds one JSON line a run: ours first and last, the peers between. Leaves with 1 where losses differ.
"""
import json
import os
import sys

# Largest relative difference of the losses of the first two steps: float sums in other orders, and what bf16 rounds.
ALLOWED = {"fp32": 1e-4, "bf16": 2e-2}


def main():
    different = False
    for path in sys.argv[1:]:
        name = os.path.basename(path).split(".")[0]  # such as step_fp32
        with open(path) as f:
            lines = [json.loads(line) for line in f]
        ours, peers = [l for l in lines if "engine" in l], [l for l in lines if "torch" in l]
        best, fastest = min(ours, key=lambda l: l["median_s"]), min(peers, key=lambda l: l["median_s"])
        print(f"ratio {name} {fastest['median_s'] / best['median_s']:.2f}")
        for peer in peers:
            print(f"ratio {name}_torch-{peer['torch']}_{peer['format']} {peer['median_s'] / best['median_s']:.2f}")
        print(f"ratio memory_{name} {best['max_rss_mib'] / fastest['max_rss_mib']:.2f}")
        print(f"  atrous {', '.join(format(l['median_s'], '.3f') for l in ours)} s ({best['commit']}), torch {fastest['torch']} "
              f"{fastest['format']} {fastest['median_s']:.3f} s; peaks {best['max_rss_mib']:.0f} and {fastest['max_rss_mib']:.0f} MiB; "
              f"{best['threads']} threads, {best['parameters']} and {fastest['parameters']} parameters")
        apart = max(abs(l["losses"][i] / best["losses"][i] - 1) for l in peers for i in range(min(2, len(best["losses"]))))
        print(f"  losses of the first two steps differ by at most {apart:.1e}")
        if apart > ALLOWED[name.split("_")[-1]] or any(l["parameters"] != best["parameters"] for l in peers):
            print(f"ratios: {path}: the two sides did not do the same work", file=sys.stderr)
            different = True
        spread = max(l["median_s"] for l in ours) / best["median_s"] - 1
        if spread > 0.03:
            print(f"  not steady: our two runs differ by {spread:.0%}")
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Sets our times beside PyTorch's: reads every JSON line in the logs of a folder, prints a table of ratios.

    python3 benchmarks/peers/gpu_table.py FOLDER

A time's ratio is theirs / ours (above 1: we are faster), theirs being the fastest variant in half precision of the same
work; a memory's is ours / theirs. Exit code 1 where losses or parameters show that the sides did other work.
"""
import json
import os
import re
import sys

# Largest relative difference of the first two losses: what half precision rounds. The others drop activations out at
# random, the two sides not the same ones.
ALLOWED, ALLOWED_WITH_DROPOUT = 0.02, 0.15


def rows_in(folder):
    """Not peer_compile's, which fills PyTorch's cache while other programs run."""
    for name in sorted(os.listdir(folder)):
        if name.endswith(".log") and name not in ("table.log", "peer_compile.log"):
            with open(os.path.join(folder, name), errors="replace") as file:
                for line in file:
                    if line.startswith("{"):
                        try:
                            yield name[:-4], json.loads(line)
                        except ValueError:
                            pass  # a line that a stopped program left


def workload_of(log):
    """Of the name of a log of ours: step_unet_again and memory_unet are unet."""
    return re.sub(r"^(step|memory)_|_(again|no_graphs|fp32|own)$", "", log)


def steps(rows):
    ours, theirs, different = {}, {}, False
    for name, r in rows:
        if r.get("kind") == "step" and r.get("engine") == "atrous":
            ours.setdefault(workload_of(name), []).append((name, r))
        elif r.get("kind") == "step" and r.get("status") == "ok":
            theirs.setdefault(r["workload"], []).append(r)
    for workload, runs in ours.items():
        peers = theirs.get(workload, [])
        for name, r in runs:
            print(f"{workload:20} atrous {r['precision']:24} {r['median_s'] * 1e3:9.2f} ms  peak {r['device_peak_mib']:6.0f} "
                  f"reserved {r.get('device_reserved_mib', 0):6.0f} MiB  losses {r['losses'][:3]}  ({name})")
        for r in peers:
            print(f"{workload:20} torch  {r['variant']:24} {r['ms_median']:9.2f} ms  peak {r.get('peak_allocated_mib', 0):6.0f} "
                  f"reserved {r.get('peak_reserved_mib', 0):6.0f} MiB  losses {r['losses'][:3]}")
        halves = [(name, r) for name, r in runs if r["precision"] == "bf16" and r["replayed"]]
        rivals = [r for r in peers if "fp32" not in r["variant"]]
        if not halves or not rivals:
            continue
        name, best = min(halves, key=lambda n: n[1]["median_s"])
        if name.startswith("step"):  # memory is asked for while other programs run
            print(f"ratio step_{workload} {min(r['ms_median'] for r in rivals) / best['median_s'] / 1e3:.3f}")
        least = min(r.get("peak_allocated_mib", 0) for r in rivals)
        if least:
            print(f"ratio memory_{workload} {best['device_peak_mib'] / least:.3f}")
        different |= disagree(workload, best, rivals)
    return different


def disagree(workload, ours, peers):
    allowed = ALLOWED if workload.startswith("unet") else ALLOWED_WITH_DROPOUT
    for r in peers:
        apart = max(abs(a / b - 1) for a, b in zip(ours["losses"][:2], r["losses"]))
        if apart > allowed or r["parameters"] != ours["parameters"]:
            print(f"gpu_table: {workload}: other work than {r['variant']}: losses {apart:.1e} apart, "
                  f"{ours['parameters']} and {r['parameters']} parameters")
            return True
    return False


def kernels(rows):
    ours, theirs = {}, {}
    for name, r in rows:
        if r.get("kind") == "kernel":
            key = r["op"], r["direction"], r["dtype"]
            if r.get("engine") == "atrous":
                ours[key, name] = r  # kernels_own: convolutions without cuDNN
            elif key not in theirs or r["ms_median"] < theirs[key]["ms_median"]:
                theirs[key] = r
    for (key, name), r in ours.items():
        peer = theirs.get(key)
        rate = f"{r['tflop_s']:7.1f} TFLOP/s" if "tflop_s" in r else f"{r['gb_s']:7.0f} GB/s   "
        against = f"{peer['ms_median']:9.4f} ms {peer['mode']:8} ratio {peer['ms_median'] / r['ms_median']:.3f}" if peer else ""
        print(f"{key[0]:32} {key[1]:16} {key[2]:5} {r['ms_median']:9.4f} ms {rate} {against} ({name})")


def layers(rows):
    """Our own kernel beside cuDNN for each layer of full_size_check."""
    found = {}
    for _, r in rows:
        if r.get("kind") == "check":
            found.setdefault((r["layer"], r["direction"]), {})[r["by"]] = r
    for (layer, direction), by in found.items():
        cells = [f"{name:5} {r.get('ms_median', 0):8.4f} ms off by {r['relative_most']:.1e}{'' if r['holds'] else ' WRONG'}"
                 for name, r in by.items()]
        print(f"{layer:44} {direction:16} {'   '.join(cells)}")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    rows = list(rows_in(sys.argv[1]))
    for _, r in rows:
        if r.get("kind") in ("ceilings", "summary") or r.get("status") in ("error", "skipped"):
            print(json.dumps(r))
    different = steps(rows)
    layers(rows)
    kernels(rows)
    if not any(r.get("engine") == "atrous" for _, r in rows):
        sys.exit("gpu_table: no time of ours in " + sys.argv[1])
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()

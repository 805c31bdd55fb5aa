#!/usr/bin/env python3
"""Times small trainings beside other programs: how much a busy neighbour costs, and what waiting threads do about it.

    benchmarks/beside_others.py build/emulated/bin/atrous [--repetitions 5] [--threads N] [--ways ours]

A training runs alone, beside as many busy processes as half the cores, and twice at once. Threads wait in three ways:
`ours` as the program chooses by itself, `libgomp` as GCC's OpenMP does by default, `passive` without spinning; besides
one thread alone. Turns alternate, so that a machine that changes changes for all. Prints medians, and lines
"ratio <what> <figure>"; below 1 is faster. With --check: exit code 1 where the bound below does not hold.
"""
import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

WAYS = {"ours": {}, "libgomp": {"GOMP_SPINCOUNT": "300000"}, "passive": {"OMP_WAIT_POLICY": "passive"}}
BUSY = [sys.executable, "-c", "while True: pass"]
# 2 would be a fair share, libgomp's own spinning gives 5 to 30; the rest is for machines that others use as well.
BOUNDS = {"two at once, ours / one alone": 4.0}


class Bench:
    def __init__(self, program, folder, threads):
        self.program, self.folder, self.threads, self.count = pathlib.Path(program).resolve(), folder, threads, 0
        subprocess.run([self.program, "synth", "--output", folder / "data", "--count", "40", "--size", "64"], check=True,
                       stdout=subprocess.DEVNULL)

    def start(self, way, threads):
        self.count += 1
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "GOMP_"))}
        command = [self.program, "train", "--data", self.folder / "data", "--base-channels", "8", "--depth", "3", "--size",
                   "64", "--batch-size", "4", "--epochs", "4", "--device", "cpu", "--threads", str(threads),
                   "--output-dir", self.folder / str(self.count)]
        return subprocess.Popen(command, env={**environment, **WAYS[way]}, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)

    def seconds(self, way, trainings=1, neighbours=0, threads=None):
        busy = [subprocess.Popen(BUSY) for _ in range(neighbours)]
        try:
            began = time.perf_counter()
            for process in [self.start(way, threads or self.threads) for _ in range(trainings)]:
                if process.wait() != 0:
                    sys.exit(f"beside_others.py: a training ended with {process.returncode}")
            return time.perf_counter() - began
        finally:
            for process in busy:
                process.kill()
                process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(arguments.program, pathlib.Path(folder), arguments.threads)
        neighbours = max(1, arguments.threads // 2)
        turns = {f"{what}, {way}": (lambda way=way, how=how: bench.seconds(way, **how)) for what, how in
                 {"idle": {}, "busy neighbour": {"neighbours": neighbours}, "two at once": {"trainings": 2}}.items()
                 for way in arguments.ways}
        turns["two at once, one thread each"] = lambda: bench.seconds("ours", trainings=2, threads=1)
        bench.seconds("ours")  # warms the files up
        times = {name: [] for name in turns}
        for _ in range(arguments.repetitions):
            for name, turn in turns.items():
                times[name].append(turn())
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, values in times.items():
        print(f"{name:<32} {medians[name]:7.2f} s   ({min(values):.2f} to {max(values):.2f})")
    ratios = {f"{what}, ours / {other}": medians[f"{what}, ours"] / medians[f"{what}, {other}"]
              for what in ("idle", "busy neighbour", "two at once") for other in ("libgomp", "passive")
              if {"ours", other} <= set(arguments.ways)}
    for what in ("busy neighbour", "two at once"):
        for way in arguments.ways:
            ratios[f"{what}, {way} / one alone"] = medians[f"{what}, {way}"] / medians[f"idle, {way}"]
    failed = False
    for name, ratio in ratios.items():
        bound = BOUNDS.get(name)
        failed = failed or (bound is not None and ratio > bound)
        print(f"ratio {name} {ratio:.2f}" + (f" (bound {bound})" if bound else ""))
    return 1 if failed and arguments.check else 0


if __name__ == "__main__":
    sys.exit(main())

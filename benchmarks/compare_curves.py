#!/usr/bin/env python3
"""Holds the curve of one training against another's: the metrics.csv of two run folders of `atrous train`.

    python3 benchmarks/compare_curves.py GPU_RUN CPU_RUN [--first-loss 0.01 --loss 0.05 --dice 0.05]

Prints both, epoch by epoch, and a JSON line; exits with 1 where they differ by more: the training loss of the first epoch
and of any epoch (relative), the Dice of the last (absolute). Both trainings see the same images from the same weights,
but round differently, and training amplifies that: seeds differ by .014 in the last Dice on dsb2018.
"""
import argparse
import csv
import json
import os
import sys


def read(folder):
    with open(os.path.join(folder, "metrics.csv")) as file:
        rows = [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]
    if any("val_dice" not in row for row in rows):
        sys.exit(f"compare_curves: {folder}/metrics.csv has no val_dice; train with validation samples")
    return rows


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("tested")
    p.add_argument("truth")
    p.add_argument("--first-loss", type=float, default=0.01)
    p.add_argument("--loss", type=float, default=0.05)
    p.add_argument("--dice", type=float, default=0.05)
    o = p.parse_args()
    tested, truth = read(o.tested), read(o.truth)
    if len(tested) != len(truth) or not truth:
        sys.exit(f"compare_curves: {o.tested} has {len(tested)} epochs, {o.truth} {len(truth)}; train both alike")
    print("epoch  loss              relative  Dice")
    differences = []
    for a, b in zip(tested, truth):
        differences.append(abs(a["train_loss"] / b["train_loss"] - 1))
        print(f"{b['epoch']:5.0f}  {a['train_loss']:.5f} {b['train_loss']:.5f}   {differences[-1]:.1e}   "
              f"{a['val_dice']:.4f} {b['val_dice']:.4f}")
    dice = abs(tested[-1]["val_dice"] - truth[-1]["val_dice"])
    good = differences[0] <= o.first_loss and all(d <= o.loss for d in differences) and dice <= o.dice
    print(json.dumps({"kind": "curve", "first_loss_difference": differences[0], "loss_difference": max(differences),
                      "dice": tested[-1]["val_dice"], "dice_truth": truth[-1]["val_dice"], "dice_difference": dice,
                      "holds": good}))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()

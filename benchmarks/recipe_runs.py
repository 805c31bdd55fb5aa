#!/usr/bin/env python3
"""Trains every recipe for a few epochs at a reduced size, beside PyTorch where the peer has what the recipe asks for.

    python3 benchmarks/recipe_runs.py build/emulated/bin/atrous OUT --binary DIR --voc DIR --comma10k DIR [--peer PYTHON]
        [--only NAME…] [--threads N]

--binary: images with masks of one object. Prints a table in Markdown; OUT keeps the run folders and runs.jsonl.
With --peer (a Python with torch and torchvision) a second training leaves out what torch_train.py does not do (random
sizes, rotations, colours, letterbox, schedules), and the peer does the same: the same net, loss, optimizer, sizes
and flips, other random numbers.
"""
import argparse
import csv
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
COMMA10K = "402020,ff0000,808060,00ff66,cc00ff"
PLAIN = {"scale": "1 1", "rotate": "0", "brightness": "0", "contrast": "0", "resize": "stretch", "turn": None,
         "schedule": "constant", "clip-norm": "0"}


class Recipe:
    """Its data, the reduced size, and the peer's options for the paired training."""

    def __init__(self, data, size, epochs, batch, peer=None, extra=()):
        self.data, self.size, self.epochs, self.batch, self.peer, self.extra = data, size, epochs, batch, peer, extra


BINARY_ADAM = ["--loss", "bce", "--lr", "3e-4"]
VOC = ["--classes", "21", "--loss", "bce+dice", "--lr", "1e-4", "--no-vflip"]
ROADS = ["--classes", "5", "--colours", COMMA10K, "--loss", "ce", "--enet-weights", "--lr", "1e-4", "--weight-decay", "1e-4",
         "--no-hflip", "--no-vflip", "--merge-last"]
RECIPES = {
    "carvana-unet": Recipe("binary", "96x64", 4, 8, ["--loss", "bce", "--lr", "1e-4"], ["--vflip", "0.5"]),
    "carvana-deeplabv3": Recipe("binary", "64", 2, 8, None, ["--crop", "56"]),
    "faces-unet11": Recipe("binary", "64", 4, 8, BINARY_ADAM),
    "faces-unet16": Recipe("binary", "64", 4, 8, BINARY_ADAM),
    "faces-resnet34": Recipe("binary", "64", 4, 8, BINARY_ADAM),
    "comma10k-deeplabv3-r18": Recipe("comma10k", "128", 8, 4, ROADS),
    "comma10k-deeplabv3-r34": Recipe("comma10k", "128", 8, 4, ROADS),
    "comma10k-deeplabv3-gentle": Recipe("comma10k", "128", 8, 4, ROADS),
    "voc-unet": Recipe("voc", "64", 3, 8, None),
    "voc-resnet-unet": Recipe("voc", "96", 4, 8, VOC + ["--normalize", "imagenet"]),
    "voc-deeplabv3": Recipe("voc", "96", 2, 8, None),
    "voc-fcn": Recipe("voc", "96", 2, 8, None),
    "nnunet-2d": Recipe("binary", "64", 4, 8, None, ["--lr", "1e-3"]),
}


def run(command, log):
    with open(log, "w") as file:
        if subprocess.run([str(c) for c in command], stdout=file, stderr=subprocess.STDOUT).returncode != 0:
            sys.exit(f"recipe_runs: {' '.join(map(str, command))}: {open(log).read().strip().splitlines()[-1]}")


def ours(o, name, recipe, plain):
    folder = os.path.join(o.out, name + ("-plain" if plain else ""))
    settings = {**(PLAIN if plain else {}), "size": recipe.size, "epochs": recipe.epochs, "batch-size": recipe.batch,
                "threads": o.threads, "output-dir": folder}
    flags = [word for key, value in settings.items() if value is not None for word in [f"--{key}", *str(value).split()]]
    flags += ["--no-turn"] * (plain and name.startswith("faces"))
    run([o.program, "train", "--overwrite", "--recipe", name, "--data", getattr(o, recipe.data), *flags, *recipe.extra], folder + ".log")
    with open(os.path.join(folder, "metrics.csv")) as file:
        last = list(csv.DictReader(file))[-1]
    return {"train_loss": float(last["train_loss"]), "dice": float(last["val_dice"] or "nan"), "miou": float(last["val_miou"]),
            "seconds": float(last["seconds"])}


def theirs(o, name, recipe):
    log = os.path.join(o.out, name + "-peer.json")
    checkpoint = os.path.join(o.out, name + "-plain", "best.safetensors")
    run([o.peer, os.path.join(HERE, "peers", "torch_train.py"), "--data", getattr(o, recipe.data), "--net", checkpoint, "--size",
         recipe.size, "--epochs", recipe.epochs, "--batch-size", recipe.batch, "--threads", o.threads, *recipe.peer], log)
    told = json.loads(open(log).read().splitlines()[-1])
    return {"train_loss": told["epoch_losses"][-1], "dice": told["dice"], "miou": told.get("miou"),
            "one_class": told["one_class"], "untrained": told["untrained"]}


def shown(scores, key):
    return "" if not scores or scores.get(key) is None else f"{scores[key]:.3f}"


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("program")
    p.add_argument("out")
    for data in ("binary", "voc", "comma10k"):
        p.add_argument(f"--{data}")
    p.add_argument("--peer")
    p.add_argument("--only", nargs="+", choices=list(RECIPES), default=list(RECIPES))
    p.add_argument("--threads", type=int, default=2)
    o = p.parse_args()
    os.makedirs(o.out, exist_ok=True)
    print("| recipe | size, epochs | loss | Dice | mIoU | plain: loss, Dice, mIoU | PyTorch: loss, Dice, mIoU | one class, untrained |")
    print("|---|---|---|---|---|---|---|---|")
    for name in o.only:
        recipe = RECIPES[name]
        if not getattr(o, recipe.data):
            print(f"| `{name}` | left out: no --{recipe.data} |")
            continue
        whole = ours(o, name, recipe, plain=False)
        plain = peer = None
        if o.peer and recipe.peer:
            plain, peer = ours(o, name, recipe, plain=True), theirs(o, name, recipe)
        with open(os.path.join(o.out, "runs.jsonl"), "a") as file:
            file.write(json.dumps({"recipe": name, "whole": whole, "plain": plain, "peer": peer}) + "\n")
        triple = lambda s: ", ".join(filter(None, [shown(s, k) for k in ("train_loss", "dice", "miou")]))
        base = [shown(peer[k], "dice") for k in ("one_class", "untrained")] if peer else []
        print(f"| `{name}` | {recipe.size}, {recipe.epochs} | {shown(whole, 'train_loss')} | {shown(whole, 'dice')} | "
              f"{shown(whole, 'miou')} | {triple(plain)} | {triple(peer)} | {', '.join(base)} |", flush=True)


if __name__ == "__main__":
    main()

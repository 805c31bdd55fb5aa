#!/usr/bin/env python3
"""Trains the padded U-Net in PyTorch on a folder of images and masks: the peer of `atrous train`.

    python3 benchmarks/peers/torch_train.py --data DIR --base-channels 16 --size 128 --epochs 6 --seed 0

DIR holds {train,val}/{images,masks}; a mask pixel other than 0 is foreground (--invert: 0 is foreground).
Same net, initialisation, loss, optimizer, resize (PIL), flips and scores; other random numbers.
Prints one JSON line: data-set Dice, mean image Dice, seconds a step.
"""
import argparse
import glob
import json
import os
import sys
import time

import numpy as np
import torch
from PIL import Image

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "goldens"))
from load_in_pytorch import read_safetensors  # noqa: E402
from make import UNet, bce_dice  # noqa: E402


def load_folder(root, size, invert):
    names = sorted(glob.glob(os.path.join(root, "images", "*")))
    images, masks = [], []
    for path in names:
        stem = os.path.splitext(os.path.basename(path))[0]
        mask = glob.glob(os.path.join(root, "masks", glob.escape(stem) + ".*"))[0]
        image = Image.open(path).convert("RGB").resize((size, size), Image.BILINEAR)
        label = np.asarray(Image.open(mask).resize((size, size), Image.NEAREST))
        images.append(np.asarray(image, dtype=np.float32) / 255)
        masks.append(((label == 0) if invert else (label != 0)).astype(np.int64))
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(np.stack(masks))


def dice_scores(net, images, masks, batch):
    net.eval()
    per_image, tp, total = [], 0, 0
    with torch.no_grad():
        for i in range(0, len(images), batch):
            p = net(images[i:i + batch])[:, 0] > 0
            t = masks[i:i + batch] != 0
            inter, size = (p & t).sum((1, 2)), p.sum((1, 2)) + t.sum((1, 2))
            per_image += [float(2 * a) / float(b) if b else 1.0 for a, b in zip(inter, size)]
            tp, total = tp + int(inter.sum()), total + int(size.sum())
    net.train()
    return 2 * tp / max(total, 1), float(np.mean(per_image))


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--data", required=True)
    a.add_argument("--base-channels", type=int, default=16)
    a.add_argument("--size", type=int, default=128)
    a.add_argument("--batch-size", type=int, default=8)
    a.add_argument("--epochs", type=int, default=6)
    a.add_argument("--lr", type=float, default=1e-3)
    a.add_argument("--seed", type=int, default=0)
    a.add_argument("--threads", type=int, default=2)
    a.add_argument("--weights", help="start from this checkpoint of atrous train")
    a.add_argument("--invert", action="store_true")
    o = a.parse_args()
    torch.manual_seed(o.seed)
    torch.set_num_threads(o.threads)
    images, masks = load_folder(os.path.join(o.data, "train"), o.size, o.invert)
    val_images, val_masks = load_folder(os.path.join(o.data, "val"), o.size, o.invert)
    net = UNet(3, 1, o.base_channels)
    if o.weights:
        net.load_state_dict(read_safetensors(o.weights)[0], strict=True)
    optimizer = torch.optim.Adam(net.parameters(), lr=o.lr)
    untrained = dice_scores(net, val_images, val_masks, o.batch_size)
    seconds, history, epoch_losses = [], [], []
    for _ in range(o.epochs):
        losses = []
        order = torch.randperm(len(images))
        for i in range(0, len(order), o.batch_size):
            x, t = images[order[i:i + o.batch_size]].clone(), masks[order[i:i + o.batch_size]].clone()
            for j in range(len(x)):
                for axis in (1, 2):
                    if torch.rand(()) < 0.5:
                        x[j], t[j] = x[j].flip(axis), t[j].flip(axis - 1)
            began = time.perf_counter()
            optimizer.zero_grad()
            loss = bce_dice(net(x), t)
            loss.backward()
            optimizer.step()
            losses.append(float(loss))
            seconds.append(time.perf_counter() - began)
        epoch_losses.append(float(np.mean(losses)))
        history.append(dice_scores(net, val_images, val_masks, o.batch_size))
    all_foreground = 2 * float((val_masks != 0).sum()) / float((val_masks != 0).sum() + val_masks.numel())
    print(json.dumps({"torch": torch.__version__, "seed": o.seed, "dice": history[-1][0], "image_dice": history[-1][1], "best_dice": max(h[0] for h in history),
                      "untrained": untrained[0], "all_foreground": all_foreground, "median_step_s": float(np.median(seconds)), "epoch_losses": epoch_losses, "epoch_dice": [h[0] for h in history]}))


if __name__ == "__main__":
    main()

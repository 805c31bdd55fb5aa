#!/usr/bin/env python3
"""Times PyTorch's DataLoader with PIL on a list of images and masks: the peer of `atrous bench loader`.

    python3 benchmarks/peers/torch_loader.py --list train.txt --size 240x160 [--workers 0 1 2] [--colours 402020,ff0000]

A line of the list is 'image mask'. An image is decoded, resized bilinearly (the mask by nearest), flipped with
probability one half, and normalized as ImageNet's; workers are processes. Prints one JSON line.
"""
import argparse
import json
import statistics
import time

import numpy as np
import PIL
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)


class Samples(Dataset):
    def __init__(self, lines, size, colours):
        self.lines, self.size, self.colours = lines, size, colours

    def __len__(self):
        return len(self.lines)

    def labels(self, mask):
        if not self.colours:
            ids = np.array(mask if mask.mode == "P" else mask.convert("L"))
            return (ids > 0).astype(np.uint8) if mask.mode != "P" else ids
        rgb = np.asarray(mask.convert("RGB"), np.uint32)
        packed = rgb[..., 0] << 16 | rgb[..., 1] << 8 | rgb[..., 2]
        ids = np.full(packed.shape, 255, np.uint8)
        for i, colour in enumerate(self.colours):
            ids[packed == colour] = i
        return ids

    def __getitem__(self, index):
        image_path, mask_path = self.lines[index]
        image = Image.open(image_path).convert("RGB").resize(self.size, Image.BILINEAR)
        labels = self.labels(Image.open(mask_path).resize(self.size, Image.NEAREST))
        pixels = np.asarray(image)
        if torch.rand(()) < 0.5:
            pixels, labels = pixels[:, ::-1], labels[:, ::-1]
        pixels = (pixels.astype(np.float32) / 255 - MEAN) / STD
        return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1))), torch.from_numpy(
            np.ascontiguousarray(labels))


def throughput(samples, batch_size, workers, images, repetitions):
    """Images a second: the median of `repetitions`, behind a first batch, with the workers kept from epoch to epoch."""
    loader = DataLoader(samples, batch_size, shuffle=True, num_workers=workers, persistent_workers=workers > 0)
    batches = iter(loader)
    next(batches)
    rates = []
    for _ in range(repetitions):
        done, began = 0, time.perf_counter()
        while done < images:
            try:
                done += len(next(batches)[0])
            except StopIteration:
                batches = iter(loader)
        rates.append(done / (time.perf_counter() - began))
    return statistics.median(rates)


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--list", required=True)
    a.add_argument("--size", required=True, help="WIDTHxHEIGHT")
    a.add_argument("--colours", default="")
    a.add_argument("--batch-size", type=int, default=8)
    a.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2])
    a.add_argument("--timed-images", type=int, default=64)
    a.add_argument("--repetitions", type=int, default=5)
    o = a.parse_args()
    torch.set_num_threads(1)
    lines = [line.split() for line in open(o.list) if line.strip()]
    samples = Samples(lines, tuple(map(int, o.size.split("x"))), [int(c, 16) for c in o.colours.split(",") if c])
    rates = {w: throughput(samples, o.batch_size, w, o.timed_images, o.repetitions) for w in o.workers}
    print(json.dumps({"kind": "loader", "engine": f"torch {torch.__version__}, PIL {PIL.__version__}",
                      "size": o.size, "samples": len(lines), "images_per_s": rates}))


if __name__ == "__main__":
    main()

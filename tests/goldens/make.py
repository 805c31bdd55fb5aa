#!/usr/bin/env python3
"""Writes tests/goldens/*.json: what PyTorch computes in float64 for nets whose weights and data both sides can make.

Values come from an integer hash of (name, index), coded here and in tests/models/hashed.h; nothing random is stored.
Run with any PyTorch that has float64 on the CPU:  python3 tests/goldens/make.py
"""
import json
import os

import numpy as np
import torch
from torch import nn

MASK = (1 << 64) - 1


def hashed(name, count):
    """`count` numbers in [-1, 1): splitmix64 of (FNV-1a of the name + index * odd constant)."""
    h = 14695981039346656037
    for byte in name.encode():
        h = ((h ^ byte) * 1099511628211) & MASK
    with np.errstate(over="ignore"):
        z = np.uint64(h) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-52 - 1.0


def hashed_tensor(name, shape):
    return torch.from_numpy(hashed(name, int(np.prod(shape))).reshape(shape).copy())


class DoubleConv(nn.Module):
    def __init__(self, cin, cout, middle=None):
        super().__init__()
        middle = middle or cout
        self.double_conv = nn.Sequential(
            nn.Conv2d(cin, middle, 3, padding=1, bias=False), nn.BatchNorm2d(middle), nn.ReLU(),
            nn.Conv2d(middle, cout, 3, padding=1, bias=False), nn.BatchNorm2d(cout), nn.ReLU())

    def forward(self, x):
        return self.double_conv(x)


class Down(nn.Module):
    def __init__(self, cin, cout):
        super().__init__()
        self.maxpool_conv = nn.Sequential(nn.MaxPool2d(2), DoubleConv(cin, cout))

    def forward(self, x):
        return self.maxpool_conv(x)


class Up(nn.Module):
    def __init__(self, cin, cout, bilinear):
        super().__init__()
        if bilinear:
            self.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
            self.conv = DoubleConv(cin, cout, cin // 2)
        else:
            self.up = nn.ConvTranspose2d(cin, cin // 2, 2, stride=2)
            self.conv = DoubleConv(cin, cout)

    def forward(self, x, skip):
        return self.conv(torch.cat([skip, self.up(x)], 1))


class OutConv(nn.Module):
    def __init__(self, cin, cout):
        super().__init__()
        self.conv = nn.Conv2d(cin, cout, 1)

    def forward(self, x):
        return self.conv(x)


class UNet(nn.Module):
    """The padded U-Net with batch norm, under milesial/Pytorch-UNet's parameter names."""

    def __init__(self, in_channels=3, out_channels=1, base_channels=64, depth=4, bilinear=False):
        super().__init__()
        factor = 2 if bilinear else 1
        width = lambda level: base_channels << level
        self.depth = depth
        self.inc = DoubleConv(in_channels, width(0))
        for level in range(1, depth + 1):
            cout = width(level) // factor if level == depth else width(level)
            setattr(self, f"down{level}", Down(width(level - 1), cout))
        for level in range(depth, 0, -1):
            cout = width(0) if level == 1 else width(level - 1) // factor
            setattr(self, f"up{depth - level + 1}", Up(width(level), cout, bilinear))
        self.outc = OutConv(width(0), out_channels)

    def forward(self, x):
        skips = [self.inc(x)]
        for level in range(1, self.depth + 1):
            skips.append(getattr(self, f"down{level}")(skips[-1]))
        y = skips.pop()
        for i in range(1, self.depth + 1):
            y = getattr(self, f"up{i}")(y, skips.pop())
        return self.outc(y)


def set_hashed_weights(net):
    """Kaiming-sized convolution weights; batch norm near the identity; small biases."""
    with torch.no_grad():
        for name, p in net.named_parameters():
            u = hashed_tensor(name, tuple(p.shape))
            if p.dim() == 4:
                p.copy_(u * (6.0 / (p.shape[1] * p.shape[2] * p.shape[3])) ** 0.5)
            elif name.endswith("weight"):
                p.copy_(1 + 0.1 * u)
            else:
                p.copy_(0.1 * u)


def labels_for(name, n, h, w, classes):
    u = hashed(name, n * h * w)
    ids = np.floor((u + 1) / 2 * classes).astype(np.int64)
    ids[u > 0.95] = 255  # a few ignored pixels
    return torch.from_numpy(ids.reshape(n, h, w))


def bce_dice(logits, labels):
    """BCE over counted elements + 1 - Dice per class over the batch, smooth 1; label 255 is ignored."""
    channels = logits.shape[1]
    counted = (labels != 255).unsqueeze(1).expand_as(logits).to(logits.dtype)
    if channels == 1:
        target = ((labels != 0) & (labels != 255)).unsqueeze(1).to(logits.dtype)
    else:
        target = torch.stack([labels == c for c in range(channels)], 1).to(logits.dtype)
    bce = (nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none") * counted).sum() / counted.sum()
    p = torch.sigmoid(logits) * counted
    sums = lambda t: t.sum(dim=(0, 2, 3))
    dice = ((2 * sums(p * target) + 1) / (sums(p) + sums(target * counted) + 1)).mean()
    return bce + 1 - dice


def summary_of(name, tensor):
    flat = tensor.detach().reshape(-1)
    return [float(flat.norm()), float(flat @ hashed_tensor("projection." + name, (flat.numel(),)))]


def train(options, x, labels, make_optimizer, steps):
    net = UNet(**options).double().train()
    set_hashed_weights(net)
    optimizer = make_optimizer(net.parameters())
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = bce_dice(net(x), labels)
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    return losses, {name: summary_of(name, p) for name, p in net.named_parameters()}


def golden(name, options, n, size):
    x = hashed_tensor("input." + name, (n, options["in_channels"], size, size))
    labels = labels_for("labels." + name, n, size, size, max(2, options["out_channels"]))
    net = UNet(**options).double().train()
    set_hashed_weights(net)
    logits = net(x)
    loss = bce_dice(logits, labels)
    loss.backward()
    net.eval()
    with torch.no_grad():
        evaluated = net(x)
    sgd, sgd_weights = train(options, x, labels, lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9), 20)
    adam, adam_weights = train(options, x, labels, lambda p: torch.optim.Adam(p, lr=1e-3), 20)
    return {
        "name": name, "torch": torch.__version__, "options": options, "n": n, "size": size,
        "parameters": sum(p.numel() for p in net.parameters()),
        "loss": float(loss),
        "logits": logits.detach().reshape(-1).tolist(),
        "logits_eval": summary_of("logits_eval", evaluated),
        "gradients": {k: summary_of(k, p.grad) for k, p in net.named_parameters()},
        "buffers": {k: b.double().reshape(-1).tolist() for k, b in net.named_buffers()},
        "sgd_losses": sgd, "sgd_weights": sgd_weights, "adam_losses": adam, "adam_weights": adam_weights,
    }


def main():
    torch.set_num_threads(1)
    folder = os.path.dirname(os.path.abspath(__file__))
    cases = [
        ("unet_transposed", dict(in_channels=3, out_channels=1, base_channels=4, depth=3, bilinear=False), 2, 16),
        ("unet_bilinear", dict(in_channels=1, out_channels=3, base_channels=4, depth=2, bilinear=True), 4, 12),
    ]
    for name, options, n, size in cases:
        path = os.path.join(folder, name + ".json")
        with open(path, "w") as f:
            json.dump(golden(name, options, n, size), f)
            f.write("\n")
        print(path)


if __name__ == "__main__":
    main()

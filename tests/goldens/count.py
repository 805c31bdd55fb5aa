#!/usr/bin/env python3
"""Writes tests/goldens/counts.json: parameters and multiply-adds of nets, counted without this project's code.

U-Nets are counted twice: by arithmetic over the figure of the paper (padded convolutions), and by hooks on the PyTorch
modules of make.py; both must agree. torchvision's nets are counted by hooks, with their auxiliary heads. With --show
NAME the layers that the hooks saw are printed.
Run with any PyTorch and torchvision:  python3 tests/goldens/count.py
"""
import argparse
import json
import os

import torch
import torchvision
from torch import nn

from make import UNet


def unet_by_hand(in_channels, out_channels, base, depth, bilinear, size):
    """Sums over the figure: two 3x3 convolutions with batch norm a level, down and up again, and a last 1x1."""
    parameters = multiply_adds = 0

    def convolution(taps, cin, cout, pixels, bias):
        nonlocal parameters, multiply_adds
        parameters += taps * cin * cout + (cout if bias else 0)
        multiply_adds += taps * cin * cout * pixels

    def twice(cin, middle, cout, pixels):
        nonlocal parameters
        convolution(9, cin, middle, pixels, False)
        convolution(9, middle, cout, pixels, False)
        parameters += 2 * middle + 2 * cout

    widths = [base * 2**level for level in range(depth + 1)]
    if bilinear:
        widths[depth] //= 2
    pixels = [(size >> level) ** 2 for level in range(depth + 1)]
    twice(in_channels, widths[0], widths[0], pixels[0])
    for level in range(1, depth + 1):
        twice(widths[level - 1], widths[level], widths[level], pixels[level])
    below = widths[depth]
    for level in reversed(range(depth)):
        if bilinear:
            out = widths[level] // 2 if level else widths[0]
            twice(widths[level] + below, (widths[level] + below) // 2, out, pixels[level])
            below = out
        else:  # a 2x2 transposed convolution halves the channels: each of its outputs has one tap
            parameters += 4 * below * widths[level] + widths[level]
            multiply_adds += below * widths[level] * pixels[level]
            twice(2 * widths[level], widths[level], widths[level], pixels[level])
            below = widths[level]
    convolution(1, below, out_channels, pixels[0], True)
    return {"parameters": parameters, "multiply_adds": multiply_adds}


def by_hooks(net, shape, show=False):
    total = 0

    def count(module, inputs, output):
        nonlocal total
        weight = module.weight
        if isinstance(module, nn.ConvTranspose2d):
            here = inputs[0].numel() // inputs[0].shape[1] * weight.numel()
        elif isinstance(module, nn.Linear):
            here = output.numel() // output.shape[-1] * weight.numel()
        else:
            here = output.numel() // output.shape[1] * weight.numel()
        total += here
        if show:
            print(f"{names[module]:40} {str(list(output.shape)):24} {here}")

    names = {m: name for name, m in net.named_modules()}
    for m in net.modules():
        if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            m.register_forward_hook(count)
    with torch.no_grad():
        net(torch.zeros(shape))
    return {"parameters": sum(p.numel() for p in net.parameters()), "multiply_adds": total}


UNETS = {  # in_channels, out_channels, base_channels, depth, bilinear, size
    "unet64_256": (3, 1, 64, 4, False, 256),
    "unet64_bilinear_256": (3, 1, 64, 4, True, 256),
    "unet32_512": (3, 1, 32, 4, False, 512),
    "unet16_grey_128_11_classes": (1, 11, 16, 3, False, 128),
    "unet8_bilinear_96": (3, 4, 8, 2, True, 96),
    "unet24_80": (3, 1, 24, 1, False, 80),
}


TORCHVISION = {  # maker, classes, size
    "deeplabv3_resnet50": (torchvision.models.segmentation.deeplabv3_resnet50, 21, 128),
    "fcn_resnet50": (torchvision.models.segmentation.fcn_resnet50, 21, 96),
}


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--show", metavar="NAME", help="print the layers of one net")
    show = arguments.parse_args().show
    counts = {}
    for name, (cin, cout, base, depth, bilinear, size) in UNETS.items():
        counted = unet_by_hand(cin, cout, base, depth, bilinear, size)
        hooked = by_hooks(UNet(cin, cout, base, depth, bilinear), (1, cin, size, size), name == show)
        assert counted == hooked, (name, counted, hooked)
        counts[name] = {"in_channels": cin, "out_channels": cout, "base_channels": base, "depth": depth,
                        "bilinear": bilinear, "size": size, **counted}
    for name, (make, classes, size) in TORCHVISION.items():
        net = make(weights=None, weights_backbone=None, num_classes=classes, aux_loss=True).eval()
        counts[name] = {"model": name.split("_")[0], "out_channels": classes, "size": size,
                        **by_hooks(net, (1, 3, size, size), name == show)}
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "counts.json")
    with open(path, "w") as f:
        json.dump(counts, f, indent=1)
        f.write("\n")
    for name, c in counts.items():
        print(f"{name:32} {c['parameters']:>12,} parameters {c['multiply_adds']:>16,} multiply-adds")


if __name__ == "__main__":
    main()

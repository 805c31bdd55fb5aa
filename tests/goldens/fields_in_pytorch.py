#!/usr/bin/env python3
"""Effective receptive fields beside PyTorch's: the gradient of one logit with respect to the image, in float64, and how much
the taps of atrous convolutions that lie on the map are of all, by counting them.

    python3 tests/goldens/fields_in_pytorch.py PROGRAM [FOLDER OF PAGES]

Runs `atrous forward --gradients` on nets of PyTorch's own weights. FOLDER: pages of `atrous inspect`, whose live taps are
held against the count.
"""
import json
import os
import re
import subprocess
import sys
import tempfile

import torch
from torch import nn

from make import set_hashed_weights
from nets import make_net

NETS = [
    ("unet16", dict(model="unet16", out_channels=1), ["--model", "unet16", "--out-channels", "1"], (64, 96)),
    ("deeplabv3_resnet50", dict(model="deeplabv3", encoder="resnet50", out_channels=3, auxiliary=False),
     ["--model", "deeplabv3", "--encoder", "resnet50", "--out-channels", "3", "--aux-weight", "0"], (128, 160)),
    ("comma10k_resnet18", dict(model="deeplabv3-comma10k", encoder="resnet18", out_channels=5, rates=(6, 12, 18)),
     ["--model", "deeplabv3-comma10k", "--encoder", "resnet18", "--out-channels", "5"], (96, 128)),
]


def live_taps(rate, size):
    """The mean number of the nine taps of a 3x3 convolution that lie on a map of size x size, pixel by pixel."""
    steps = (-rate, 0, rate)
    on = [sum(0 <= p + s < size for s in steps) for p in range(size)]
    return sum(y * x for y in on for x in on) / size**2


def logits_of(net, x):
    y = net(x)
    return y["out"] if isinstance(y, dict) else y


def compare(program, name, config, words, size):
    torch.manual_seed(1)
    net = make_net(config)
    set_hashed_weights(net)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.8, 1.2)
    net = net.double().eval()
    x = torch.rand(1, 3, *size, dtype=torch.float64, requires_grad=True)
    y = logits_of(net, x)
    row, column = size[0] // 3, size[1] // 2
    seed = torch.zeros_like(y)
    seed[0, -1, row, column] = 1
    y.backward(seed)
    torch.save(net.state_dict(), "net.pth")
    torch.save({"x": x.detach(), "gradient.y": seed}, "in.pth")
    subprocess.run([program, "forward", "--checkpoint", "net.pth", *words, "--input", "in.pth", "--output", "out.safetensors",
                    "--gradients", "--dtype", "f64", "--device", "cpu", "--overwrite"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([program, "convert", "out.safetensors", "out.pth", "--overwrite"], check=True, stdout=subprocess.DEVNULL)
    ours = torch.load("out.pth", weights_only=True)
    field = lambda gradient: gradient.abs().sum(1)
    errors = [((a - b).abs().max() / b.abs().max()).item() for a, b in
              ((ours["y"], y.detach()), (ours["gradient.x"], x.grad), (field(ours["gradient.x"]), field(x.grad)))]
    reached = (field(x.grad) > 0).double().mean().item()
    print(f"{name} {size[1]}x{size[0]}: logits {errors[0]:.1e}, gradient {errors[1]:.1e}, field {errors[2]:.1e} of the largest; "
          f"the logit depends on {100 * reached:.0f} % of the pixels")
    return max(errors) < 1e-9


def check_page(path):
    """Every dilated convolution of the page, at the size of the map that it reads. Returns how many there are, and whether all agree."""
    text = open(path, encoding="utf-8").read()
    nodes = json.loads(re.search(r'<script type="application/json"[^>]*>(.*?)</script>', text, re.S).group(1))
    nodes = (nodes if isinstance(nodes, list) else nodes["studies"])[0]["nodes"]
    found, good = [], True
    for node in nodes:
        taps = node.get("taps")
        if not taps or taps["dilation"][0] < 2:
            continue
        size, rate = node["shape"][0], taps["dilation"][0]
        if size != node["shape"][1]:
            continue
        expected = live_taps(rate, size)
        good &= abs(taps["live"] - expected) < 1e-9
        found.append(f"{rate} on {size}x{size}: {taps['live']:.4f} of 9")
    print(f"{os.path.basename(path)}: " + (", ".join(dict.fromkeys(found)) or "no dilated convolution on a square map"))
    return len(found), good


def main():
    program = os.path.abspath(sys.argv[1])
    pages = sorted(os.path.join(os.path.abspath(sys.argv[2]), f) for f in os.listdir(sys.argv[2]) if f.endswith(".html")) \
        if len(sys.argv) > 2 else []
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        good = [compare(program, *net) for net in NETS]
        checked = [check_page(page) for page in pages]
    if len(sys.argv) > 2 and not any(count for count, _ in checked):
        sys.exit(f"{sys.argv[2]}: no dilated convolution in its {len(pages)} pages; expected pages of `atrous inspect` of DeepLab")
    sys.exit(0 if all(good) and all(right for _, right in checked) else "outside of the tolerance (fields: 1e-9)")


if __name__ == "__main__":
    main()

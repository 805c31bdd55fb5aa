#!/usr/bin/env python3
"""Writes tests/goldens/*.json: what PyTorch computes in float64 for nets whose weights and data both sides can make.

Values come from an integer hash of (name, index), coded here and in benchmarks/harness/hashed.h; nothing random is stored.
Run with Debian's python3-torch and python3-torchvision (1.13, 0.14):  /usr/bin/python3 tests/goldens/make.py [NAME…]
"""
import json
import os
import sys

import numpy as np
import torch
try:
    import torchvision
except ImportError:  # the U-Net does without
    torchvision = None
from torch import nn

from nets import UNet, make_net  # noqa: F401 (UNet: for who imports this)

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


def set_hashed_weights(net):
    """Kaiming-sized convolution weights; batch norm near the identity; small biases."""
    with torch.no_grad():
        for name, p in net.named_parameters():
            u = hashed_tensor(name, tuple(p.shape))
            if p.dim() >= 2:
                p.copy_(u * (6.0 / p[0].numel()) ** 0.5)
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


def rounded(x):
    """14 digits: enough for 1e-9, and the same file from any build of PyTorch."""
    return float(f"{float(x):.13e}")


def summary_of(name, tensor):
    """Norm, and product with a hashed vector."""
    flat = tensor.detach().double().reshape(-1)
    return [rounded(flat.norm()), rounded(flat @ hashed_tensor("projection." + name, (flat.numel(),)))]


def loss_of(outputs, labels):
    if not isinstance(outputs, dict):
        return bce_dice(outputs, labels)
    loss = bce_dice(outputs["out"], labels)
    return loss + 0.5 * bce_dice(outputs["aux"], labels) if "aux" in outputs else loss


def fresh(config):
    net = make_net(config).double().train()
    set_hashed_weights(net)
    return net


def twenty_steps(config, x, labels, make_optimizer):
    net = fresh(config)
    optimizer = make_optimizer(net.parameters())
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = loss_of(net(x), labels)
        loss.backward()
        optimizer.step()
        losses.append(rounded(loss))
    return {"losses": losses, "weights": {name: summary_of(name, p) for name, p in net.named_parameters()}}


OPTIMIZERS = {
    "sgd_1e-2": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9),
    "adam_1e-3": lambda p: torch.optim.Adam(p, lr=1e-3),
    "adam_1e-5": lambda p: torch.optim.Adam(p, lr=1e-5),
    "rmsprop_1e-5": lambda p: torch.optim.RMSprop(p, lr=1e-5, momentum=0.9),
}


def golden(name, config, n, size, optimizers):
    x = hashed_tensor("input." + name, (n, config.get("in_channels", 3), size, size))
    labels = labels_for("labels." + name, n, size, size, max(2, config["out_channels"]))
    net = fresh(config)
    outputs = net(x)
    loss = loss_of(outputs, labels)
    loss.backward()
    net.eval()
    with torch.no_grad():
        evaluated = net(x)
    main = lambda o: o["out"] if isinstance(o, dict) else o
    result = {
        "name": name, "config": config, "n": n, "size": size, "parameters": sum(p.numel() for p in net.parameters()),
        "loss": rounded(loss),
        "out": summary_of("out", main(outputs)),
        "first_logits": [rounded(v) for v in main(outputs).reshape(-1)[:8]],
        "out_eval": summary_of("out_eval", main(evaluated)),
        "gradients": {k: summary_of(k, p.grad) for k, p in net.named_parameters()},
        "buffers": {k: summary_of(k, b) for k, b in net.named_buffers() if not k.endswith("num_batches_tracked")},
        "training": {o: twenty_steps(config, x, labels, OPTIMIZERS[o]) for o in optimizers},
    }
    if isinstance(outputs, dict) and "aux" in outputs:
        result["aux"] = summary_of("aux", outputs["aux"])
    return result


def state_dict_of(net):
    """Lines "name d0xd1x…", sorted."""
    return sorted(f"{k} {'x'.join(str(d) for d in v.shape)}" for k, v in net.state_dict().items())


def state_dicts():
    models = torchvision.models
    nets = {k: getattr(models, k)(weights=None) for k in
            ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152", *VGGS)}
    for k in ("deeplabv3_resnet50", "deeplabv3_resnet101", "fcn_resnet50", "fcn_resnet101"):
        nets[k] = getattr(models.segmentation, k)(weights=None, weights_backbone=None, num_classes=21, aux_loss=True)
    return {k: {"parameters": sum(p.numel() for p in net.parameters()), "tensors": state_dict_of(net)}
            for k, net in nets.items()}


def class_scores():
    """torchvision's ResNet-18 as a classifier, in training mode."""
    net = torchvision.models.resnet18(weights=None, num_classes=7).double().train()
    set_hashed_weights(net)
    return [[rounded(v) for v in row] for row in net(hashed_tensor("input.classifier", (2, 3, 33, 33)))]


VGGS = [f"vgg{n}{norm}" for n in (11, 13, 16, 19) for norm in ("", "_bn")]
UNET = dict(model="unet", in_channels=3, out_channels=1)
SGD, ADAM = "sgd_1e-2", "adam_1e-3"


# name, configuration, batch, size, optimizers for twenty steps. Sizes are small; batch norms see at least four values.
def cases():
    yield "unet_transposed", dict(UNET, base_channels=4, depth=3), 2, 16, [SGD, ADAM]
    yield "unet_bilinear", dict(UNET, in_channels=1, out_channels=3, base_channels=4, depth=2, bilinear=True), 4, 12, [SGD, ADAM]
    yield "unet_kernel5_half_pixel", dict(UNET, base_channels=4, depth=2, bilinear=True, align_corners=False, kernel=5), 4, 12, [SGD, ADAM, "rmsprop_1e-5"]
    yield "unet_plain", dict(UNET, out_channels=4, base_channels=4, depth=2, bilinear=True, full_width=True, batch_norm=False), 4, 12, [SGD, ADAM]
    for kind in ("resnet18", "resnet34", "resnet101", "resnet152"):
        yield f"fcn_{kind}", dict(model="fcn", encoder=kind, out_channels=3, output_stride=16 if kind == "resnet34" else 32), 4, 33, []
    yield "fcn_resnet50", dict(model="fcn", encoder="resnet50", out_channels=3), 2, 33, []
    for i, kind in enumerate(VGGS):
        yield f"fcn_{kind}", dict(model="fcn", encoder=kind, out_channels=3, output_stride=(32, 16, 8)[i % 3]), 4 if i % 3 == 0 else 2, 32, []
    for model in ("unet11", "unet16", "albunet34"):
        yield model, dict(model=model, out_channels=3), 4 if model == "albunet34" else 2, 64 if model == "albunet34" else 32, []
    for kind in ("resnet18", "resnet50"):
        yield f"unet_{kind}", dict(model="unet", encoder=kind, out_channels=3), 2, 64, []
    yield "deeplabv3_resnet50", dict(model="deeplabv3", encoder="resnet50", out_channels=3), 4, 25, ["adam_1e-5"]
    yield "deeplabv3_resnet101_one_output", dict(model="deeplabv3", encoder="resnet101", out_channels=1, pooled=False), 2, 33, []
    yield "deeplabv3_vgg16_bn", dict(model="deeplabv3", encoder="vgg16_bn", out_channels=2, output_stride=16, rates=[6, 12, 18], in_channels=5), 4, 32, []
    comma = dict(model="deeplabv3-comma10k", encoder="resnet18", out_channels=5, rates=[6, 12, 18])
    yield "comma10k_resnet18", comma, 4, 33, ["adam_1e-5"]
    yield "comma10k_resnet34_gentle", dict(comma, encoder="resnet34", progressive_decoder=True), 4, 33, []
    yield "deeplabv3plus_resnet18", dict(model="deeplabv3plus", encoder="resnet18", out_channels=3, output_stride=16, rates=[6, 12, 18]), 4, 33, []
    yield "deeplabv3plus_separable", dict(model="deeplabv3plus", encoder="resnet18", out_channels=2, output_stride=8, separable=True), 4, 33, []
    yield "deeplabv3plus_vgg13", dict(model="deeplabv3plus", encoder="vgg13", out_channels=3, output_stride=8, pooled=False), 4, 16, []


def write(path, value):
    with open(path, "w") as f:
        json.dump(value, f, separators=(",", ":"))
        f.write("\n")
    print(path, os.path.getsize(path), flush=True)


def main():
    """Every file, or the cases whose names are given."""
    torch.set_num_threads(int(os.environ.get("THREADS", "1")))
    folder = os.path.dirname(os.path.abspath(__file__))
    wanted = sys.argv[1:]
    if not wanted or "state_dicts" in wanted:
        write(os.path.join(folder, "state_dicts.json"), state_dicts())
    if not wanted or "class_scores" in wanted:
        write(os.path.join(folder, "class_scores.json"), class_scores())
    for name, config, n, size, optimizers in cases():
        if not wanted or name in wanted:
            write(os.path.join(folder, name + ".json"), golden(name, config, n, size, optimizers))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Writes into a folder what weights_test.cpp compares with: files of torch.save and what PyTorch computes from them.

    python3 tests/apps/torch_files.py FOLDER
    python3 tests/apps/torch_files.py --check A.pth B.pth …    the same tensors in each pair, A taken with weights_only=True?
"""
import os
import sys

import torch
from torch.nn import functional as F

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "goldens"))
from make import UNet  # noqa: E402


def write_nets():
    net = UNet(3, 2, 8, 3, False)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    net.eval()
    checkpoint = {"epoch": 3, "state_dict": torch.nn.DataParallel(net).state_dict(),
                  "optimizer": torch.optim.Adam(net.parameters()).state_dict()}
    torch.save(checkpoint, "zip.pth")
    torch.save(checkpoint, "legacy.pth", _use_new_zipfile_serialization=False)
    torch.save(net, "whole.pth")
    torch.save({k: v.half() if v.is_floating_point() else v for k, v in net.state_dict().items()}, "half.pt")
    odd = {"transposed": torch.arange(6.0).reshape(2, 3).t(), "slice": torch.arange(10)[3:8:2], "flag": torch.tensor(True),
           "bytes": torch.arange(5, dtype=torch.uint8), "int": torch.tensor([-1], dtype=torch.int32),
           "bf16": torch.tensor([1.5, -2]).bfloat16(), "parameter": torch.nn.Parameter(torch.ones(2, 2)),
           "empty": torch.zeros(0, 3), "double": torch.tensor(0.1, dtype=torch.float64)}
    odd["shared"] = odd["transposed"]
    torch.save(odd, "odd.pth")
    torch.save(odd, "odd_legacy.pth", _use_new_zipfile_serialization=False)
    for size in (32, 256):
        x = torch.randn(1, 3, size, size)
        dy = torch.randn(1, 2, size, size)
        torch.save({"x": x, "gradient.y": dy}, f"x{size}.pth")
        torch.save({"y": net.float()(x).detach()}, f"y{size}_f32.pth")
        inputs = x.double().requires_grad_()
        net.double().zero_grad()
        y = net(inputs)
        y.backward(dy.double())
        results = {"y": y.detach(), "gradient.x": inputs.grad}
        results.update({"gradient." + n: p.grad for n, p in net.named_parameters()})
        torch.save(results, f"y{size}_f64.pth")
        net.float()


def ops():
    """(name, attributes, inputs, function of the inputs)"""
    r = lambda *shape: torch.randn(*shape, dtype=torch.float64)
    yield ("conv2d", "stride=2 padding=2 dilation=2", dict(x=r(2, 3, 11, 9), weight=r(5, 3, 3, 3), bias=r(5)),
           lambda x, weight, bias: F.conv2d(x, weight, bias, 2, 2, 2))
    yield ("conv_transpose2x2", "", dict(x=r(2, 3, 5, 4), weight=r(3, 6, 2, 2), bias=r(6)),
           lambda x, weight, bias: F.conv_transpose2d(x, weight, bias, 2))
    yield ("batch_norm", "relu=true", dict(x=r(2, 4, 5, 3), weight=r(4), bias=r(4), running_mean=r(4), running_var=r(4).exp()),
           lambda x, weight, bias, running_mean, running_var:
           F.relu(F.batch_norm(x, running_mean.clone(), running_var.clone(), weight, bias, True)))
    yield ("bilinear", "height=7 width=9", dict(x=r(1, 3, 4, 5)),
           lambda x: F.interpolate(x, (7, 9), mode="bilinear", align_corners=False))
    yield ("max_pool", "kernel=3 stride=2 padding=1", dict(x=r(2, 3, 9, 8)), lambda x: F.max_pool2d(x, 3, 2, 1))
    yield ("sigmoid", "", dict(x=r(2, 3, 4, 5)), lambda x: torch.sigmoid(x))
    yield ("relu", "", dict(x=r(2, 3, 4, 5)), lambda x: F.relu(x))
    yield ("add", "", dict(a=r(2, 3, 4, 5), b=r(2, 3, 4, 5)), lambda a, b: a + b)
    yield ("depthwise_conv2d", "padding=2 dilation=2", dict(x=r(2, 6, 7, 8), weight=r(6, 1, 3, 3), bias=r(6)),
           lambda x, weight, bias: F.conv2d(x, weight, bias, 1, 2, 2, groups=6))
    yield ("nearest", "height=7 width=9", dict(x=r(1, 3, 4, 5)), lambda x: F.interpolate(x, (7, 9), mode="nearest"))
    yield ("global_average_pool", "", dict(x=r(2, 5, 4, 5)), lambda x: F.adaptive_avg_pool2d(x, 1))
    yield ("window", "top=-1 left=2 height=6 width=5", dict(x=r(2, 3, 4, 5)), lambda x: F.pad(x, (-2, 2, 1, 1)))
    yield ("concat", "", dict(a=r(2, 3, 4, 5), b=r(2, 1, 4, 5)), lambda a, b: torch.cat([a, b], 1))


def write_ops():
    with open("ops.txt", "w") as lines:
        for name, attributes, inputs, function in ops():
            leaves = {n: v.clone().requires_grad_(not n.startswith("running")) for n, v in inputs.items()}
            y = function(**leaves)
            dy = torch.randn(y.shape, dtype=torch.float64)
            y.backward(dy)
            torch.save({**inputs, "gradient.y": dy}, f"op_{name}_in.pth")
            torch.save({"y": y.detach(), **{"gradient." + n: v.grad for n, v in leaves.items() if v.requires_grad}},
                       f"op_{name}_out.pth")
            print(name, attributes, file=lines)


def check(ours, theirs):
    a, b = torch.load(ours, weights_only=True), torch.load(theirs)  # theirs hold more than 1.13's own reader takes
    b = {k.replace("module.", "", 1): v for k, v in b.get("state_dict", b).items()}
    assert {k.replace("module.", "", 1) for k in a} == set(b), "names differ"
    for name, value in a.items():
        other = b[name.replace("module.", "", 1)]
        if other.dtype == torch.bool:
            other = other.to(torch.uint8)
        assert value.dtype == other.dtype and value.shape == other.shape and torch.equal(value, other), f"{ours}: {name}"


if __name__ == "__main__":
    if sys.argv[1] == "--check":
        for ours, theirs in zip(sys.argv[2::2], sys.argv[3::2]):
            check(ours, theirs)
    else:
        os.chdir(sys.argv[1])
        torch.manual_seed(1)
        torch.set_num_threads(2)
        write_nets()
        write_ops()

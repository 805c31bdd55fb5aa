#!/usr/bin/env python3
"""Times PyTorch's training step on a GPU (forward, backward, Adam; fixed batch, no loader): the peer of
`atrous bench step --device cuda`, with the same weights, data and loss.

    python3 benchmarks/peers/gpu_steps.py [--workloads unet deeplabv3_resnet50] [--variants compile_bf16 eager_bf16]

One JSON line a workload and variant: times, memory, and the losses of the first steps, which show that both sides do
the same work. The halves run in channels_last, fp32 in PyTorch's own layout with TF32.
"""
from gpu_options import parsed, parser  # first: it starts the clock

# name: net as tests/goldens/nets.py makes it, size, batch, channels of the logits. atrous names them alike in gpu-check.sh.
WORKLOADS = {
    "unet": ({"model": "unet", "base_channels": 64}, 512, 16, 1),
    "unet_bilinear": ({"model": "unet", "base_channels": 64, "bilinear": True}, 512, 16, 1),
    "unet_resnet34": ({"model": "unet", "encoder": "resnet34"}, 320, 8, 1),
    "deeplabv3_resnet50": ({"model": "deeplabv3", "encoder": "resnet50"}, 513, 16, 21),
    "deeplabv3_resnet101": ({"model": "deeplabv3", "encoder": "resnet101"}, 513, 16, 21),
    "comma10k_resnet18": ({"model": "deeplabv3-comma10k", "encoder": "resnet18", "rates": [6, 12, 18]}, 512, 8, 5),
}
# name: autocast, torch.compile mode, seconds it needs at most
VARIANTS = {"compile_bf16": ("bfloat16", "default", 40), "reduce_overhead_bf16": ("bfloat16", "reduce-overhead", 40),
            "eager_bf16": ("bfloat16", None, 8), "eager_fp16": ("float16", None, 8), "eager_fp32": (None, None, 12)}


def options():
    p = parser(__doc__)
    p.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=["unet"])
    p.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    p.add_argument("--warmup", type=int, default=8)
    p.add_argument("--steps", type=int, default=20)
    return parsed(p)


OPTIONS = options() if __name__ == "__main__" else None

from gpu_timing import Run, hashed_on, spread  # noqa: E402

import os  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "goldens"))
from nets import make_net  # noqa: E402


class Objective(torch.nn.Module):
    """Net and loss in one module, so that a compiler can fuse the loss with the last layer."""

    def __init__(self, net, device, dtype):
        super().__init__()
        self.net, self.device, self.dtype = net, device, dtype

    def loss(self, logits, labels):
        logits = logits.float()
        if logits.shape[1] > 1:
            return F.cross_entropy(logits, labels, ignore_index=255)
        counted = (labels != 255).unsqueeze(1).float()
        target = (labels != 0).unsqueeze(1).float() * counted
        bce = F.binary_cross_entropy_with_logits(logits, target, weight=counted, reduction="sum") / counted.sum()
        p = torch.sigmoid(logits) * counted
        return bce + 1 - (2 * (p * target).sum() + 1) / (p.sum() + target.sum() + 1)

    def forward(self, x, labels):
        with torch.autocast(self.device, dtype=self.dtype or torch.bfloat16, enabled=self.dtype is not None):
            outputs = self.net(x)
        if not isinstance(outputs, dict):
            return self.loss(outputs, labels)
        aux = 0.5 * self.loss(outputs["aux"], labels) if "aux" in outputs else 0
        return self.loss(outputs["out"], labels) + aux


def net_and_batch(run, workload, layout):
    """The hashed values of tests/goldens/make.py, made on the device: on the host they take seconds a net."""
    config, size, n, classes = workload
    if run.options.tiny:
        size, n = 32, 2
        config = {**config, "base_channels": 4} if "base_channels" in config else {**config, "encoder": "resnet18"}
    net = make_net({"out_channels": classes, **config}, dropout=True).to(run.device)
    with torch.no_grad():
        for name, p in net.named_parameters():
            u = hashed_on(run.device, name, p.shape)
            if p.dim() >= 2:
                p.copy_(u * (6.0 / p[0].numel()) ** 0.5)
            else:
                p.copy_(0.1 * u + (1 if name.endswith("weight") else 0))
    x = hashed_on(run.device, "input.step", (n, 3, size, size)).float().contiguous(memory_format=layout)
    u = hashed_on(run.device, "labels.step", (n, size, size))
    labels = ((u + 1) / 2 * max(2, classes)).floor().long()
    labels[u > 0.95] = 255  # ignored
    return net.to(memory_format=layout).train(), (x, labels)


def measure(run, workload, variant):
    o = run.options
    dtype, mode, _ = VARIANTS[variant]
    dtype = getattr(torch, dtype) if dtype else None
    layout = torch.contiguous_format if dtype is None else torch.channels_last
    net, data = net_and_batch(run, WORKLOADS[workload], layout)
    if run.cuda:
        torch.cuda.reset_peak_memory_stats()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-4, **({"fused": True} if run.cuda else {}))
    scaler = torch.amp.GradScaler(o.device, enabled=dtype == torch.float16 and run.cuda)
    objective = Objective(net, o.device, dtype)
    if mode:
        objective = torch.compile(objective, mode=mode, dynamic=False)
    losses, stamps = [], []
    began = time.perf_counter()
    for step in range(o.warmup + o.steps):
        if step == o.warmup:
            run.synchronize()
            setup_s = time.perf_counter() - began
            stamps.append(run.stamp())
        if mode == "reduce-overhead":
            torch.compiler.cudagraph_mark_step_begin()
        optimizer.zero_grad(set_to_none=True)
        loss = objective(*data)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        losses.append(loss.detach().clone())  # a replayed graph overwrites its output
        if step >= o.warmup:
            stamps.append(run.stamp())
    row = spread(run.times_ms(zip(stamps, stamps[1:])))
    row.update(images_s=round(len(data[0]) / row["ms_median"] * 1e3, 1), setup_s=round(setup_s, 2),
               parameters=sum(p.numel() for p in net.parameters()), losses=[round(float(v), 6) for v in losses[:8]])
    if run.cuda:
        row.update(peak_allocated_mib=torch.cuda.max_memory_allocated() >> 20,
                   peak_reserved_mib=torch.cuda.max_memory_reserved() >> 20)
    if mode:
        torch._dynamo.reset()
    return row


def main():
    o = OPTIONS
    if o.tiny:
        o.warmup, o.steps = 1, 3
    run = Run(o)
    run.environment()
    first = run.ceilings("first")
    for workload in o.workloads:
        for variant in o.variants:
            needs_s = 0 if o.tiny else VARIANTS[variant][2]
            run.case({"kind": "step", "workload": workload, "variant": variant}, needs_s,
                     lambda: measure(run, workload, variant))
    run.summary(first, run.ceilings("last"))


if __name__ == "__main__":
    main()

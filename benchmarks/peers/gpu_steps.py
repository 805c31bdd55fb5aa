#!/usr/bin/env python3
"""Times PyTorch's training step of a U-Net on a GPU (forward, backward, Adam; fixed batch, no loader): the peer of
`atrous bench step --device cuda --precision bf16`, with the same weights, data and loss.

    python3 benchmarks/peers/gpu_steps.py [--base-channels 64 --size 512 --batch-size 16]

One JSON line a variant: bf16 and fp16 autocast in channels_last, compiled, compiled with CUDA graphs, fp32 with TF32. The losses of the first steps show that both sides do the same work.
"""
from gpu_timing import Run, parser, spread  # first: it starts the clock

import os
import sys
import time

import torch
import torch.nn.functional as F

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "goldens"))
from make import UNet, hashed_tensor, labels_for, set_hashed_weights  # noqa: E402

# name, autocast, torch.compile mode, seconds it needs at most
VARIANTS = (("eager_bf16", torch.bfloat16, None, 15), ("eager_fp16", torch.float16, None, 15),
            ("compile_bf16", torch.bfloat16, "default", 60),
            ("reduce_overhead_bf16", torch.bfloat16, "reduce-overhead", 60), ("eager_fp32", None, None, 20))


class Objective(torch.nn.Module):
    """Net and loss in one module, so that a compiler can fuse the loss with the last layer."""

    def __init__(self, net, device, dtype):
        super().__init__()
        self.net, self.device, self.dtype = net, device, dtype

    def forward(self, x, target, counted):
        with torch.autocast(self.device, dtype=self.dtype or torch.bfloat16, enabled=self.dtype is not None):
            logits = self.net(x)
        logits = logits.float()
        bce = F.binary_cross_entropy_with_logits(logits, target, weight=counted, reduction="sum") / counted.sum()
        p = torch.sigmoid(logits) * counted
        dice = (2 * (p * target).sum() + 1) / (p.sum() + target.sum() + 1)
        return bce + 1 - dice


def batch(o, device, layout):
    x = hashed_tensor("input.step", (o.batch_size, 3, o.size, o.size)).float()
    labels = labels_for("labels.step", o.batch_size, o.size, o.size, 2).unsqueeze(1)
    counted = (labels != 255).float()
    target = (labels != 0).float() * counted
    return [t.to(device).contiguous(memory_format=layout) for t in (x, target, counted)]


def measure(run, dtype, mode):
    o = run.options
    # fp32 keeps PyTorch's own layout, the halves the one that tensor cores want
    layout = torch.contiguous_format if dtype is None else torch.channels_last
    if run.cuda:
        torch.cuda.reset_peak_memory_stats()
    net = UNet(3, 1, o.base_channels)
    set_hashed_weights(net)
    net = net.to(run.device, memory_format=layout).train()
    data = batch(o, run.device, layout)
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
    row.update(images_s=round(o.batch_size / row["ms_median"] * 1e3, 1), setup_s=round(setup_s, 2),
               parameters=sum(p.numel() for p in net.parameters()), losses=[round(float(v), 6) for v in losses[:8]])
    if run.cuda:
        row.update(peak_allocated_mib=torch.cuda.max_memory_allocated() >> 20,
                   peak_reserved_mib=torch.cuda.max_memory_reserved() >> 20)
    if mode:
        torch._dynamo.reset()
    return row


def main():
    p = parser(__doc__)
    p.add_argument("--base-channels", type=int, default=64)
    p.add_argument("--size", type=int, default=512)
    p.add_argument("--batch-size", type=int, default=16)
    p.add_argument("--warmup", type=int, default=8)
    p.add_argument("--steps", type=int, default=20)
    o = p.parse_args()
    if o.tiny:
        o.base_channels, o.size, o.batch_size, o.warmup, o.steps = 4, 32, 2, 1, 3
    run = Run(o)
    run.environment()
    first = run.ceilings("first")
    for name, dtype, mode, needs_s in VARIANTS:
        labels = {"kind": "step", "workload": f"unet_{o.base_channels}_{o.size}_b{o.batch_size}", "variant": name}
        run.case(labels, 0 if o.tiny else needs_s, lambda: measure(run, dtype, mode))
    run.summary(first, run.ceilings("last"))


if __name__ == "__main__":
    main()

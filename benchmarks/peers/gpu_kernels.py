#!/usr/bin/env python3
"""Times single PyTorch operations on a GPU from a cold L2, forward and backward apart: the peer of kernel_times, under
the same names. Eager and, where the compiler may fuse, compiled.

    python3 benchmarks/peers/gpu_kernels.py [--only conv3x3]

JSON lines. bytes are the fewest: inputs read once, outputs written once; batch norm reads its input twice.
"""
from gpu_options import parsed, parser  # first: it starts the clock

OPTIONS = parsed(parser(__doc__)) if __name__ == "__main__" else None

from gpu_timing import Run, spread  # noqa: E402

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402

TYPES = {"bf16": torch.bfloat16, "f16": torch.float16, "f32": torch.float32}


class Op:
    """function(*inputs) is timed forward; backward asks for the gradients of the inputs that require them."""

    def __init__(self, name, function, make_inputs, forward, backward, byte_values=0):
        """How many values of the element type each way moves, and how many bytes besides."""
        self.name, self.function, self.make_inputs = name, function, make_inputs
        self.values, self.byte_values = {"forward": forward, "backward": backward}, byte_values

    def calls(self, run, dtype, mode):
        inputs = self.make_inputs(run.device, dtype)
        function = torch.compile(self.function, dynamic=False) if mode == "compiled" else self.function
        wanted = [t for t in inputs if t.requires_grad]
        output = function(*inputs)
        gradient = torch.randn_like(output)
        yield "forward", lambda: None, lambda _: function(*inputs)
        yield "backward", lambda: function(*inputs), lambda y: torch.autograd.grad(y, wanted, gradient)


def image(device, dtype, shape, gradient=True):
    x = torch.randn(shape, device=device).to(dtype).contiguous(memory_format=torch.channels_last)
    return x.requires_grad_() if gradient else x


def pointwise_ops(tiny):
    shape = (2, 64, 16, 16) if tiny else (16, 64, 512, 512)
    count = torch.Size(shape).numel()

    def norm_inputs(device, dtype):
        weight, bias = (torch.rand(64, device=device).requires_grad_() for _ in range(2))
        return image(device, dtype, shape), weight, bias, torch.zeros(64, device=device), torch.ones(64, device=device)

    norm = lambda x, w, b, mean, var: F.batch_norm(x, mean, var, w, b, training=True)
    yield Op("batch_norm", norm, norm_inputs, 3 * count, 5 * count)
    yield Op("batch_norm_relu", lambda *a: F.relu(norm(*a), inplace=True), norm_inputs, 3 * count, 5 * count)

    for name, channels, side, scale, corners in (("bilinear_x2", 128, 256, 2, False),
                                                 ("bilinear_x2_align_corners", 128, 256, 2, True),
                                                 ("bilinear_x8", 21, 65, 8, False)):
        small = (1, channels, 6, 6) if tiny else (16, channels, side, side)
        moved = torch.Size(small).numel() * (1 + scale * scale)
        yield Op(name, lambda x, s=scale, a=corners: F.interpolate(x, scale_factor=s, mode="bilinear", align_corners=a),
                 lambda device, dtype, s=small: (image(device, dtype, s),), moved, moved)

    yield Op("max_pool_2x2", lambda x: F.max_pool2d(x, 2), lambda device, dtype: (image(device, dtype, shape),),
             count * 5 // 4, count * 5 // 4, count // 4)  # an index could be one byte; PyTorch's takes eight

    logits = (2, 1, 16, 16) if tiny else (64, 1, 1024, 1024)
    pixels = torch.Size(logits).numel()

    def loss(z, t):
        z, t = z.float(), t.float()
        p = torch.sigmoid(z)
        dice = (2 * (p * t).sum() + 1) / (p.sum() + t.sum() + 1)
        return F.binary_cross_entropy_with_logits(z, t) + 1 - dice

    yield Op("bce_dice_byte_target", loss,
             lambda device, dtype: (image(device, dtype, logits), (torch.rand(logits, device=device) < 0.5).byte()),
             pixels, 2 * pixels, pixels)

    logits21 = (1, 21, 9, 9) if tiny else (16, 21, 520, 520)
    values, pixels21 = torch.Size(logits21).numel(), torch.Size(logits21).numel() // 21

    def labels(device):
        u = torch.rand((logits21[0], *logits21[2:]), device=device)
        return torch.where(u > 0.975, 255, (u * 21).long())

    yield Op("softmax_ce", lambda z, t: F.cross_entropy(z.float(), t, ignore_index=255),
             lambda device, dtype: (image(device, dtype, logits21), labels(device)), values, 2 * values, pixels21)


class Convolution:
    def __init__(self, name, inputs, outputs, size, kernel, dilation=1, transposed=False, tiny=False):
        self.name = f"{name}_{inputs}_{outputs}_{size}"
        shrink = lambda n: n // 32 + 8 if tiny else n
        self.shape = (1, shrink(inputs), 9, 9) if tiny else (16, inputs, size, size)
        self.inputs, self.outputs, self.kernel, self.dilation, self.transposed = (
            shrink(inputs), shrink(outputs), kernel, dilation, transposed)

    def calls(self, run, dtype, mode):
        taps, transposed = self.kernel**2, self.transposed
        x = image(run.device, dtype, self.shape, False)
        channels = (self.inputs, self.outputs) if transposed else (self.outputs, self.inputs)
        w = image(run.device, dtype, (*channels, self.kernel, self.kernel), False) * (taps * self.inputs) ** -0.5
        stride, padding = (2, 0) if transposed else (1, self.dilation * (self.kernel // 2))
        convolve = F.conv_transpose2d if transposed else F.conv2d
        forward = lambda _: convolve(x, w, stride=stride, padding=padding, dilation=self.dilation)
        y = forward(None)
        self.flops = 2 * (x if transposed else y).numel() * (self.outputs if transposed else self.inputs) * taps
        self.moved = x.numel() + y.numel() + w.numel()
        dy = torch.randn_like(y)
        yield "forward", lambda: None, forward
        for i, name in enumerate(("input_gradient", "weight_gradient")):
            mask = [i == 0, i == 1, False]
            yield name, lambda: None, lambda _, mask=mask: torch.ops.aten.convolution_backward(
                dy, x, w, None, [stride] * 2, [padding] * 2, [self.dilation] * 2, transposed, [0, 0], 1, mask)


def convolutions(tiny):
    for channels, size in ((64, 512), (128, 256), (256, 128), (512, 64)):
        yield Convolution("conv3x3", channels, channels, size, 3, tiny=tiny)
    for channels, size in ((1024, 32), (512, 64), (256, 128), (128, 256)):
        yield Convolution("conv_transpose2x2", channels, channels // 2, size, 2, transposed=True, tiny=tiny)
    for channels in (2048, 1024):
        yield Convolution("conv1x1", channels, 256, 65, 1, tiny=tiny)
    for dilation in (1, 6, 12, 18, 24, 36):
        yield Convolution(f"conv3x3_d{dilation}", 2048, 256, 65, 3, dilation, tiny=tiny)


class Adam:
    """The parameters of U-Net 64 or DeepLabV3 on ResNet-101, in 64 tensors: "update" of kernel_times."""

    def __init__(self, name, count, tiny):
        self.name, self.count = name, 10000 if tiny else count

    def calls(self, run, dtype, mode):
        sizes = [self.count // 64] * 63
        sizes.append(self.count - sum(sizes))
        parameters = [torch.randn(n, device=run.device).requires_grad_() for n in sizes]
        for p in parameters:
            p.grad = torch.randn_like(p)
        optimizer = torch.optim.Adam(parameters, lr=1e-4, **({"fused": True} if run.cuda else {}))
        yield "update", lambda: None, lambda _: optimizer.step()


def cold(run, prepare, call, flush, reps):
    """Single calls, each after the L2 was filled with something else; the GPU is busy while the host submits."""
    for _ in range(2):
        call(prepare())
    pairs = []
    for _ in range(reps):
        state = prepare()
        flush.sum()  # reads: what was written would have to be written back during the call
        begin = run.stamp()
        call(state)
        pairs.append((begin, run.stamp()))
    return spread(run.times_ms(pairs))


def measure(run, op, dtype, mode, flush):
    for direction, prepare, call in op.calls(run, TYPES[dtype], mode):
        row = {"kind": "kernel", "engine": "torch", "op": op.name, "direction": direction, "dtype": dtype, "mode": mode,
               "status": "ok", **cold(run, prepare, call, flush, 3 if run.options.tiny else 20)}
        size = torch.finfo(TYPES[dtype]).bits // 8
        if isinstance(op, Op):
            row["bytes"] = op.values[direction] * size + op.byte_values
        elif isinstance(op, Convolution):
            row.update(bytes=op.moved * size, flops=op.flops,
                       tflop_s=round(op.flops / max(row["ms_median"], 1e-6) / 1e9, 2))
        else:
            row["bytes"] = 28 * op.count
        row["gb_s"] = round(row["bytes"] / max(row["ms_median"], 1e-6) / 1e6, 1)
        run.write(row)
    return {}


def main():
    o = OPTIONS
    run = Run(o)
    run.environment()
    first = run.ceilings("first")
    flush = torch.randn(1 << 12 if o.tiny else 1 << 27, device=run.device)
    cases = [(op, "bf16", "eager") for op in pointwise_ops(o.tiny)]
    cases += [(op, "bf16", "compiled") for op in pointwise_ops(o.tiny)]
    cases += [(Adam(name, count, o.tiny), "f32", "eager") for name, count in (("adam_31m", 31037633), ("adam_61m", 60996202))]
    cases += [(op, "bf16", "eager") for op in convolutions(o.tiny)]
    cases += [(op, "f16", "eager") for op in convolutions(o.tiny)]
    for op, dtype, mode in cases:
        labels = {"kind": "case", "op": op.name, "dtype": dtype, "mode": mode}
        needs_s = 0 if o.tiny else 5 if mode == "compiled" else 2
        run.case(labels, needs_s, lambda: measure(run, op, dtype, mode, flush))
    del flush
    run.summary(first, run.ceilings("last"))


if __name__ == "__main__":
    main()

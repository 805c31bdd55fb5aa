#!/usr/bin/env python3
"""Writes tests/goldens/ops.json: what PyTorch computes in float64 for single ops.

Inputs are hashed by name (see make.py) in the engine's layout, channels last. Of each output and gradient the file holds
the norm and the projection onto hashed numbers. Run with any PyTorch:  python3 tests/goldens/make_ops.py
"""
import json
import os

import torch
import torch.nn.functional as F
from make import hashed, hashed_tensor


def nchw(x):
    return x.permute(0, 3, 1, 2)


def nhwc(x):
    return x.permute(0, 2, 3, 1)


def summary(name, x):
    flat = x.detach().contiguous().flatten()
    return [float(flat.norm()), float(flat @ torch.from_numpy(hashed(name, flat.numel())))]


def case(name, op, **shapes):
    """Runs op(name=leaf, ...) and back from a hashed seed."""
    leaves = {k: hashed_tensor(f"{name}.{k}", s).requires_grad_() for k, s in shapes.items()}
    y = op(**leaves)
    y.backward(hashed_tensor(f"{name}.seed", tuple(y.shape)) if y.dim() else None)
    entry = {"output": summary(f"{name}.projection", y)}
    entry.update({k: summary(f"{name}.projection", v.grad) for k, v in leaves.items()})
    return entry


def labels(classes, shape, ignored=255):
    """Class ids, one pixel in eight ignored."""
    values = hashed("labels", 2 * int(torch.tensor(shape).prod()))
    ids = [int((v + 1) / 2 * classes) if u > -0.75 else ignored for v, u in zip(values[::2], values[1::2])]
    return torch.tensor(ids).reshape(shape)


def region(z, t, alpha, beta, smooth, exponent):
    p, counted = F.softmax(nchw(4 * z), 1), (t != 255)
    onehot = nchw(F.one_hot(torch.where(counted, t, torch.zeros_like(t)), z.shape[3]).double()) * counted[:, None]
    p = p * counted[:, None]
    tp, fp, fn = (p * onehot).sum((0, 2, 3)), (p * (1 - onehot)).sum((0, 2, 3)), ((1 - p) * onehot).sum((0, 2, 3))
    return ((1 - (2 * tp + smooth) / (2 * tp + 2 * alpha * fp + 2 * beta * fn + smooth))**exponent).mean()


def bits_of(t, classes):
    """Labels whose values are bits: [...][classes], and which pixels count."""
    return torch.stack([(t >> c) & 1 for c in range(classes)], -1).double(), t != 255


def bits_bce(z, t, smoothing=0, pos_weight=1, weights=None, gamma=0):
    target, counted = bits_of(t, z.shape[3])
    smoothed = (1 - smoothing) * target + smoothing / 2
    losses = F.binary_cross_entropy_with_logits(4 * z, smoothed, reduction="none", pos_weight=torch.full((z.shape[3],), float(pos_weight)).double())
    p = torch.sigmoid(4 * z)
    losses = losses * (1 - torch.where(target > 0, p, 1 - p))**gamma if gamma else losses
    weights = torch.ones(z.shape[3]).double() if weights is None else weights
    return (losses * weights)[counted].sum() / (weights.sum() * counted.sum())


def bits_region(z, t, alpha, beta, smooth, exponent):
    """Of the sigmoids, each class by itself."""
    target, counted = bits_of(t, z.shape[3])
    p, target = torch.sigmoid(4 * z)[counted], target[counted]
    tp, fp, fn = (p * target).sum(0), (p * (1 - target)).sum(0), ((1 - p) * target).sum(0)
    return ((1 - (2 * tp + smooth) / (2 * tp + 2 * alpha * fp + 2 * beta * fn + smooth))**exponent).mean()


def bce(z, t, smoothing, pos_weight):
    """Of one-hot labels, over the pixels that count."""
    counted = t != 255
    onehot = F.one_hot(torch.where(counted, t, torch.zeros_like(t)), z.shape[3]).double()
    target = (1 - smoothing) * onehot + smoothing / 2
    weight = torch.full((z.shape[3],), pos_weight, dtype=torch.float64)
    return F.binary_cross_entropy_with_logits((4 * z)[counted], target[counted], pos_weight=weight)


def lovasz_of(errors, truth):
    """Berman et al. 2018: errors sorted, times what the Jaccard loss grows by."""
    order = torch.argsort(errors.detach(), descending=True, stable=True)
    truth = truth[order].double()
    intersection, union = truth.sum() - truth.cumsum(0), truth.sum() + (1 - truth).cumsum(0)
    jaccard = 1 - intersection / union
    return errors[order] @ torch.cat([jaccard[:1], jaccard[1:] - jaccard[:-1]])


def lovasz_softmax(z, t, classes):
    p, t = F.softmax(4 * z, -1).flatten(0, -2), t.flatten()
    p, t = p[t != 255], t[t != 255]
    which = [c for c in range(z.shape[-1]) if classes == "all" or (t == c).any()]
    return sum(lovasz_of(((t == c).double() - p[:, c]).abs(), t == c) for c in which) / len(which)


def lovasz_hinge(z, t):
    z, t = 4 * z.flatten(), t.flatten()
    z, truth = z[t != 255], t[t != 255] != 0
    return lovasz_of(F.relu(1 - z * (2 * truth.double() - 1)), truth)


def ohem(z, t, thresh, keep, weights=None):
    """HRNet's OhemCrossEntropy: pixels below the threshold, or below the probability that a share of them is below.

    With class weights it is torch's weighted mean of them, where HRNet divides by their number.
    """
    losses = F.cross_entropy(nchw(z), t, weights, ignore_index=255, reduction="none")
    q = F.softmax(z, -1).gather(-1, torch.where(t == 255, 0, t)[..., None])[..., 0]
    counted = t != 255
    ordered = torch.sort(q[counted].detach()).values
    least = -int(-keep * len(ordered) // 1)
    hard = counted & (q < max(thresh, float(ordered[min(least, len(ordered) - 1)])))
    return losses[hard].sum() / (hard.sum() if weights is None else weights[t[hard]].sum())


def two(z):
    """The logits of two classes that one logit is."""
    return torch.cat([torch.zeros_like(z), z], -1)


def distances(inside, outside):
    """Kervadec et al. 2019: of an image's pixels, negative inside; 0 without a contour."""
    places = torch.cartesian_prod(*(torch.arange(n, dtype=torch.float64) for n in inside.shape)).reshape(*inside.shape, 2)
    if not inside.any() or not outside.any():
        return torch.zeros_like(places[..., 0])
    to = lambda pixels: torch.cdist(places.reshape(-1, 2), places[pixels]).min(1).values.reshape(inside.shape)
    return torch.where(inside, 1 - to(outside), to(inside))


def boundary(z, t, classes):
    p, counted = F.softmax(z, -1), t != 255
    phi = torch.stack([torch.stack([distances(i == c, (i != c) & (i != 255)) for c in classes], -1) for i in t])
    return (p[..., classes] * phi)[counted].mean()


def by_image(loss, z, t, *options):
    return sum(loss(z[n], t[n], *options) for n in range(len(z))) / len(z)


def focal(z, t, gamma):
    losses = F.cross_entropy(nchw(4 * z), t, ignore_index=255, reduction="none")
    counted = t != 255
    return ((1 - torch.exp(-losses))**gamma * losses)[counted].mean()


def main():
    shape, t = (2, 9, 7, 5), labels(5, (2, 9, 7))
    weights = torch.from_numpy(hashed("class weights", 5)) + 1.5
    bits = labels(32, (2, 9, 7))
    cases = {
        "cross_entropy": case("cross_entropy", lambda z: F.cross_entropy(nchw(4 * z), t, ignore_index=255), z=shape),
        "cross_entropy_weights": case("cross_entropy_weights", lambda z: F.cross_entropy(nchw(4 * z), t, weights, ignore_index=255), z=shape),
        "cross_entropy_smoothing": case("cross_entropy_smoothing", lambda z: F.cross_entropy(nchw(4 * z), t, ignore_index=255, label_smoothing=.1), z=shape),
        "cross_entropy_smoothing_weights": case("cross_entropy_smoothing_weights", lambda z: F.cross_entropy(nchw(4 * z), t, weights, ignore_index=255, label_smoothing=.3), z=shape),
        "bce_smoothing": case("bce_smoothing", lambda z: bce(z, t, .1, 1), z=shape),
        "bce_pos_weight": case("bce_pos_weight", lambda z: bce(z, t, 0, 5), z=shape),
        "bce_smoothing_pos_weight": case("bce_smoothing_pos_weight", lambda z: bce(z, t, .2, .3), z=shape),
        "bits_bce": case("bits_bce", lambda z: bits_bce(z, bits), z=shape),
        "bits_bce_smoothing_pos_weight_weights": case("bits_bce_smoothing_pos_weight_weights", lambda z: bits_bce(z, bits, .2, 3, weights), z=shape),
        "bits_focal": case("bits_focal", lambda z: bits_bce(z, bits, gamma=2), z=shape),
        "bits_dice": case("bits_dice", lambda z: bits_region(z, bits, .5, .5, 1, 1), z=shape),
        "bits_jaccard": case("bits_jaccard", lambda z: bits_region(z, bits, 1, 1, 2, 1), z=shape),
        "bits_focal_tversky": case("bits_focal_tversky", lambda z: bits_region(z, bits, .3, .7, 1, .75), z=shape),
        "lovasz_softmax": case("lovasz_softmax", lambda z: lovasz_softmax(z, t, "present"), z=shape),
        "lovasz_softmax_all": case("lovasz_softmax_all", lambda z: lovasz_softmax(z, torch.where(t == 3, 255, t), "all"), z=shape),
        "lovasz_softmax_per_image": case("lovasz_softmax_per_image", lambda z: by_image(lovasz_softmax, z, t, "present"), z=shape),
        "lovasz_hinge": case("lovasz_hinge", lambda z: lovasz_hinge(z, t), z=(2, 9, 7, 1)),
        "lovasz_hinge_per_image": case("lovasz_hinge_per_image", lambda z: by_image(lovasz_hinge, z, t), z=(2, 9, 7, 1)),
        "ohem_thresh": case("ohem_thresh", lambda z: ohem(4 * z, t, .2, .05), z=shape),
        "ohem_keep": case("ohem_keep", lambda z: ohem(4 * z, t, .01, .4), z=shape),
        "ohem_weights": case("ohem_weights", lambda z: ohem(4 * z, t, .3, .1, weights), z=shape),
        "ohem_binary": case("ohem_binary", lambda z: ohem(two(4 * z), t.clamp(max=1).where(t != 255, t), .3, .4), z=(2, 9, 7, 1)),
        "boundary": case("boundary", lambda z: boundary(4 * z, t, [1, 2, 3, 4]), z=shape),
        "boundary_background": case("boundary_background", lambda z: boundary(4 * z, t, [0, 1, 2, 3, 4]), z=shape),
        "boundary_binary": case("boundary_binary", lambda z: boundary(two(4 * z), t.clamp(max=1).where(t != 255, t), [1]), z=(2, 9, 7, 1)),
        "focal": case("focal", lambda z: focal(z, t, 2), z=shape),
        "dice": case("dice", lambda z: region(z, t, .5, .5, 1, 1), z=shape),
        "focal_tversky": case("focal_tversky", lambda z: region(z, t, .3, .7, 1, .75), z=shape),
        "depthwise": case("depthwise", lambda x, w, b: nhwc(F.conv2d(nchw(x), w.permute(2, 0, 1)[:, None], b, 2, 3, 2, 10)),
                          x=(2, 11, 9, 10), w=(3, 3, 10), b=(10,)),
        "global_average_pool": case("global_average_pool", lambda x: nhwc(F.adaptive_avg_pool2d(nchw(x), 1)), x=(2, 11, 9, 10)),
        "nearest": case("nearest", lambda x: nhwc(F.interpolate(nchw(x), size=(88, 41), mode="nearest")), x=(1, 104, 9, 3)),
    }
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "ops.json")
    with open(path, "w") as f:
        json.dump({"torch": torch.__version__, "cases": cases}, f, indent=1)
        f.write("\n")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Trains the padded U-Net, or the net of a checkpoint, in PyTorch on a folder of images and masks: the peer of `atrous train`.

    python3 benchmarks/peers/torch_train.py --data DIR --base-channels 16 --size 128 --epochs 6 --seed 0

DIR holds {train,val}/{images,masks}, train.txt and val.txt with lines "image mask", imgs/ and masks/ as comma10k has
them, or VOCdevkit/. A mask pixel other than 0 is foreground (--invert: 0 is foreground); with --classes above 2 the value
is the class, or the place of its colour in --colours.
Same net, initialization, loss, optimizer, resize (PIL), flips and scores; other random numbers.
Prints one JSON line: data-set Dice, mean image Dice (above two classes: mIoU, pixel accuracy), seconds a step.
"""
import argparse
import glob
import json
import os
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "goldens"))
from load_in_pytorch import read_safetensors  # noqa: E402
from make import bce_dice  # noqa: E402
from nets import UNet, config_of, make_net  # noqa: E402


def samples_of(root, split):
    """Pairs of paths: from {split}.txt with lines 'image mask', or {split}/images and {split}/masks."""
    voc = sorted(glob.glob(os.path.join(root, "VOCdevkit", "VOC*")))
    if voc:
        names = open(os.path.join(voc[-1], "ImageSets", "Segmentation", split + ".txt")).read().split()
        return [tuple(os.path.join(voc[-1], folder, name + end) for folder, end in
                      (("JPEGImages", ".jpg"), ("SegmentationClass", ".png"))) for name in names]
    if os.path.isdir(os.path.join(root, "imgs")):  # images whose number ends in 9 validate
        names = sorted(os.listdir(os.path.join(root, "imgs")))
        is_val = lambda name: os.path.splitext(name)[0].endswith("9")
        return [tuple(os.path.join(root, f, n) for f in ("imgs", "masks")) for n in names if is_val(n) == (split == "val")]
    lines = os.path.join(root, split + ".txt")
    if os.path.exists(lines):
        return [tuple(os.path.join(root, p) for p in line.split()[:2]) for line in open(lines) if line.strip()]
    folder = os.path.join(root, split)
    pairs = []
    for path in sorted(glob.glob(os.path.join(folder, "images", "*"))):
        stem = os.path.splitext(os.path.basename(path))[0]
        of_image = [m for end in ("", "_mask") for m in glob.glob(os.path.join(folder, "masks", glob.escape(stem) + end + ".*"))]
        pairs.append((path, of_image[0]))
    return pairs


def ids_of_colours(mask, colours):
    pixels = np.asarray(mask.convert("RGB")).astype(np.int64)
    values = (pixels[..., 0] << 16) | (pixels[..., 1] << 8) | pixels[..., 2]
    ids = np.full(values.shape, 255)
    for number, colour in enumerate(colours):
        ids[values == int(colour, 16)] = number
    return ids


def batches_of(order, size, merge_last):
    batches = list(order.split(size))
    if merge_last and len(batches) > 1 and len(batches[-1]) < size:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches


def size_of(word):
    """Width and height: '128' or '240x160'."""
    sides = [int(n) for n in word.split("x")]
    return (sides[0], sides[-1])


def load_split(o, split):
    """Images in 0..1, or normalized as ImageNet's; class ids; 255 is ignored."""
    images, masks = [], []
    for image, mask in samples_of(o.data, split):
        image = Image.open(image).convert("RGB").resize(o.size, Image.BILINEAR)
        mask = Image.open(mask)
        mask = mask.convert("RGB") if o.colours else mask
        label = mask.resize(o.size, Image.NEAREST)
        label = ids_of_colours(label, o.colours) if o.colours else np.asarray(label).astype(np.int64)
        image = np.asarray(image, dtype=np.float32) / 255
        if o.normalize == "imagenet":
            image = (image - np.float32([0.485, 0.456, 0.406])) / np.float32([0.229, 0.224, 0.225])
        images.append(image)
        if o.classes > 2:
            masks.append(np.where(label == o.ignore, 255, label))
        else:
            masks.append(((label == 0) if o.invert else (label != 0)).astype(np.int64))
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(np.stack(masks))


def logits_of(outputs):
    return outputs["out"] if isinstance(outputs, dict) else outputs


def objective(loss, outputs):
    """The loss of the logits, and half that of the auxiliary head's."""
    aux = 0.5 * loss(outputs["aux"]) if isinstance(outputs, dict) and "aux" in outputs else 0
    return loss(logits_of(outputs)) + aux


def dice_scores(net, images, masks, batch):
    net.eval()
    per_image, tp, total = [], 0, 0
    with torch.no_grad():
        for i in range(0, len(images), batch):
            p = logits_of(net(images[i:i + batch]))[:, 0] > 0
            t = masks[i:i + batch] != 0
            inter, size = (p & t).sum((1, 2)), p.sum((1, 2)) + t.sum((1, 2))
            per_image += [float(2 * a) / float(b) if b else 1.0 for a, b in zip(inter, size)]
            tp, total = tp + int(inter.sum()), total + int(size.sum())
    net.train()
    return {"dice": 2 * tp / max(total, 1), "image_dice": float(np.mean(per_image))}


def scores_from(confusion):
    """Over classes that occur in truth or prediction."""
    inter, truth, predicted = np.diag(confusion), confusion.sum(1), confusion.sum(0)
    occurs = truth + predicted > 0
    return {"dice": float((2 * inter[occurs] / (truth + predicted)[occurs]).mean()),
            "miou": float((inter[occurs] / (truth + predicted - inter)[occurs]).mean()),
            "pixel_accuracy": float(inter.sum() / truth.sum())}


def class_scores(net, images, masks, batch, classes):
    net.eval()
    confusion = np.zeros((classes, classes))
    with torch.no_grad():
        for i in range(0, len(images), batch):
            p, t = logits_of(net(images[i:i + batch])).argmax(1), masks[i:i + batch]
            counted = t != 255
            confusion += np.bincount((t[counted] * classes + p[counted]).numpy(), minlength=classes**2).reshape(classes, classes)
    net.train()
    return scores_from(confusion)


def one_class_everywhere(masks, classes):
    truth = np.bincount(masks[masks != 255].numpy(), minlength=classes)
    confusion = np.zeros((classes, classes))
    confusion[:, truth.argmax()] = truth
    return scores_from(confusion)


def enet_weights(masks, classes):
    """1 / ln(1.02 + share of the pixels)."""
    counts = np.bincount(masks[masks != 255].numpy(), minlength=classes)
    return torch.tensor(1 / np.log(1.02 + counts / counts.sum()), dtype=torch.float32)


def class_loss(z, t, name, weights=None):
    """ce, dice, ce+dice or bce+dice as `atrous train --loss` has them: softmax, Dice by class over the batch, smooth 1; with
    bce each channel by itself."""
    if name == "bce+dice":
        return bce_dice(z, t)
    loss = 0
    if "ce" in name:
        loss = F.cross_entropy(z, t, weight=weights, ignore_index=255)
    if "dice" in name:
        counted = (t != 255)[:, None]
        p = F.softmax(z, 1) * counted
        onehot = F.one_hot(torch.where(t == 255, 0, t), z.shape[1]).permute(0, 3, 1, 2) * counted
        inter, size = (p * onehot).sum((0, 2, 3)), (p + onehot).sum((0, 2, 3))
        loss = loss + 1 - ((2 * inter + 1) / (size + 1)).mean()
    return loss


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--data", required=True)
    a.add_argument("--base-channels", type=int, default=16)
    a.add_argument("--size", type=size_of, default=(128, 128), help="N or WIDTHxHEIGHT")
    a.add_argument("--batch-size", type=int, default=8)
    a.add_argument("--epochs", type=int, default=6)
    a.add_argument("--lr", type=float, default=1e-3)
    a.add_argument("--seed", type=int, default=0)
    a.add_argument("--threads", type=int, default=2)
    a.add_argument("--net", help="train the net of this checkpoint of atrous train, initialized anew")
    a.add_argument("--weights", help="start from this checkpoint of atrous train")
    a.add_argument("--invert", action="store_true")
    a.add_argument("--classes", type=int, default=2)
    a.add_argument("--ignore", type=int, default=255, help="with --classes above 2: this mask value is ignored")
    a.add_argument("--loss", choices=["bce", "bce+dice", "ce", "dice", "ce+dice"], help="default: bce+dice, or ce+dice above two classes")
    a.add_argument("--colours", help="of the classes in RGB masks: 402020,ff0000,…")
    a.add_argument("--normalize", choices=["none", "imagenet"], default="none")
    a.add_argument("--enet-weights", action="store_true", help="classes of cross-entropy weighed as ENet does")
    a.add_argument("--optimizer", choices=["adam", "sgd"], default="adam")
    a.add_argument("--weight-decay", type=float, default=0, help="of weights of more than one dimension")
    a.add_argument("--no-hflip", action="store_true")
    a.add_argument("--merge-last", action="store_true", help="add a last batch that is not full to the one before it")
    a.add_argument("--no-vflip", action="store_true")
    o = a.parse_args()
    torch.manual_seed(o.seed)
    torch.set_num_threads(o.threads)
    binary = o.classes == 2
    o.colours = o.colours.split(",") if o.colours else []
    o.loss = o.loss or ("bce+dice" if binary else "ce+dice")
    images, masks = load_split(o, "train")
    val_images, val_masks = load_split(o, "val")
    net = UNet(3, 1 if binary else o.classes, o.base_channels)
    if o.net:
        net = make_net(config_of(json.loads(read_safetensors(o.net)[1]["atrous.recipe"])), dropout=True)
    if o.weights:
        net.load_state_dict(read_safetensors(o.weights)[0], strict=True)
    decayed = [[p for p in net.parameters() if (p.dim() > 1) == wide] for wide in (True, False)]
    groups = [{"params": decayed[0], "weight_decay": o.weight_decay}, {"params": decayed[1], "weight_decay": 0}]
    optimizer = torch.optim.Adam(groups, lr=o.lr) if o.optimizer == "adam" else torch.optim.SGD(groups, lr=o.lr, momentum=0.9)
    weights = enet_weights(masks, o.classes) if o.enet_weights else None

    def score():
        if binary:
            return dice_scores(net, val_images, val_masks, o.batch_size)
        return class_scores(net, val_images, val_masks, o.batch_size, o.classes)

    def loss_of(z, t):
        if not binary:
            return class_loss(z, t, o.loss, weights)
        return bce_dice(z, t) if o.loss == "bce+dice" else F.binary_cross_entropy_with_logits(z[:, 0], t.to(z.dtype))

    untrained = score()
    seconds, history, epoch_losses = [], [], []
    for _ in range(o.epochs):
        losses = []
        order = torch.randperm(len(images))
        for chosen in batches_of(order, o.batch_size, o.merge_last):
            x, t = images[chosen].clone(), masks[chosen].clone()
            for j in range(len(x)):
                for axis in [2] * (not o.no_hflip) + [1] * (not o.no_vflip):
                    if torch.rand(()) < 0.5:
                        x[j], t[j] = x[j].flip(axis), t[j].flip(axis - 1)
            began = time.perf_counter()
            optimizer.zero_grad()
            loss = objective(lambda z: loss_of(z, t), net(x))
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            seconds.append(time.perf_counter() - began)
        epoch_losses.append(float(np.mean(losses)))
        history.append(score())
    foreground = float((val_masks != 0).sum())
    baseline = {"dice": 2 * foreground / (foreground + val_masks.numel())} if binary else one_class_everywhere(val_masks, o.classes)
    key = "dice" if binary else "miou"
    print(json.dumps({"torch": torch.__version__, "seed": o.seed, **history[-1], "best_" + key: max(h[key] for h in history), "untrained": untrained,
                      "one_class": baseline, "median_step_s": float(np.median(seconds)), "epoch_losses": epoch_losses, "epoch_" + key: [h[key] for h in history]}))


if __name__ == "__main__":
    main()

"""The nets of tests/goldens/make.py in PyTorch: torchvision's own where it has them, else built here by their papers,
under the parameter names that atrous has."""
import torch
try:
    import torchvision
except ImportError:  # the U-Net does without
    torchvision = None
from torch import nn
from torch.nn import functional as F


class DoubleConv(nn.Module):
    def __init__(self, o, cin, middle, cout):
        super().__init__()

        def step(a, b):
            conv = nn.Conv2d(a, b, o["kernel"], padding=o["kernel"] // 2, bias=not o["batch_norm"])
            return [conv, nn.BatchNorm2d(b), nn.ReLU()] if o["batch_norm"] else [conv, nn.ReLU()]
        self.double_conv = nn.Sequential(*step(cin, middle), *step(middle, cout))

    def forward(self, x):
        return self.double_conv(x)


class Down(nn.Module):
    def __init__(self, o, cin, cout):
        super().__init__()
        self.maxpool_conv = nn.Sequential(nn.MaxPool2d(2), DoubleConv(o, cin, cout, cout))

    def forward(self, x):
        return self.maxpool_conv(x)


class Up(nn.Module):
    def __init__(self, o, lower, skip, cout):
        super().__init__()
        if o["bilinear"]:
            self.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=o["align_corners"])
            self.conv = DoubleConv(o, skip + lower, skip, cout)
        else:
            self.up = nn.ConvTranspose2d(lower, lower // 2, 2, stride=2)
            self.conv = DoubleConv(o, skip + lower // 2, cout, cout)

    def forward(self, x, skip):
        return self.conv(torch.cat([skip, self.up(x)], 1))


class OutConv(nn.Module):
    def __init__(self, cin, cout):
        super().__init__()
        self.conv = nn.Conv2d(cin, cout, 1)

    def forward(self, x):
        return self.conv(x)


class UNet(nn.Module):
    """The padded U-Net under milesial/Pytorch-UNet's parameter names; full_width: usuyama/pytorch-unet's channels."""

    def __init__(self, in_channels=3, out_channels=1, base_channels=64, depth=4, bilinear=False, align_corners=True,
                 full_width=False, batch_norm=True, kernel=3):
        super().__init__()
        o = dict(bilinear=bilinear, align_corners=align_corners, batch_norm=batch_norm, kernel=kernel)
        factor = 2 if bilinear and not full_width else 1
        width = lambda level: base_channels << level
        self.depth = depth
        self.inc = DoubleConv(o, in_channels, width(0), width(0))
        for level in range(1, depth + 1):
            setattr(self, f"down{level}", Down(o, width(level - 1), width(level) // (factor if level == depth else 1)))
        lower = width(depth) // factor
        for level in range(depth, 0, -1):
            cout = width(0) if level == 1 else width(level - 1) // factor
            setattr(self, f"up{depth - level + 1}", Up(o, lower, width(level - 1), cout))
            lower = cout
        self.outc = OutConv(width(0), out_channels)

    def forward(self, x):
        skips = [self.inc(x)]
        for level in range(1, self.depth + 1):
            skips.append(getattr(self, f"down{level}")(skips[-1]))
        y = skips.pop()
        for i in range(1, self.depth + 1):
            y = getattr(self, f"up{i}")(y, skips.pop())
        return self.outc(y)


# ---- encoders ----


def dilated(resnet, output_stride, first_block=False):
    """Strides replaced by dilation from the end. torchvision does it for bottlenecks only; first_block: dilates a
    stage's first block like the others, where torchvision dilates it like the stage before."""
    stride, dilation = 4, 1
    for layer in (resnet.layer2, resnet.layer3, resnet.layer4):
        before = dilation
        if stride * 2 > output_stride:
            dilation *= 2
            for name, m in layer[0].named_modules():
                if isinstance(m, nn.Conv2d):
                    m.stride = (1, 1)
        else:
            stride *= 2
        for i, block in enumerate(layer):
            d = before if i == 0 and not first_block else dilation
            for m in block.modules():
                if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3):
                    m.dilation = m.padding = (d, d)
    return resnet


class ResNetFeatures(nn.Module):
    """Stem and the four layers, as attributes of torchvision's names."""

    def __init__(self, kind, in_channels=3, output_stride=32, first_block=False, pool=None):
        super().__init__()
        net = dilated(getattr(torchvision.models, kind)(weights=None), output_stride, first_block)
        self.conv1 = net.conv1 if in_channels == 3 else nn.Conv2d(in_channels, 64, 7, 2, 3, bias=False)
        self.bn1, self.pool = net.bn1, pool or net.maxpool
        self.layer1, self.layer2, self.layer3, self.layer4 = net.layer1, net.layer2, net.layer3, net.layer4
        self.channels = [64] + [net.fc.in_features >> i for i in (3, 2, 1, 0)]

    def forward(self, x):
        levels = [F.relu(self.bn1(self.conv1(x)))]
        x = self.pool(levels[0])
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
            levels.append(x)
        return levels


class VggFeatures(nn.Module):
    """The five stages before their pools, and behind the last where it strides; below stride 32 the last pools are left
    out and what follows is dilated."""

    def __init__(self, kind, in_channels=3, output_stride=32):
        super().__init__()
        self.features = getattr(torchvision.models, kind)(weights=None).features
        if in_channels != 3:
            self.features[0] = nn.Conv2d(in_channels, 64, 3, padding=1)
        self.pools = {32: 5, 16: 4, 8: 3}[output_stride]
        stage, dilation = 0, 1
        for m in self.features:
            if isinstance(m, nn.Conv2d):
                m.dilation = m.padding = (dilation, dilation)
            if isinstance(m, nn.MaxPool2d):
                dilation *= 2 if stage >= self.pools else 1
                stage += 1
        self.channels = [64, 128, 256, 512, 512] + [512] * (self.pools == 5)

    def forward(self, x):
        levels = []
        for m in self.features:
            if not isinstance(m, nn.MaxPool2d):
                x = m(x)
                continue
            levels.append(x)
            if len(levels) <= self.pools:
                x = m(x)
        return levels + [x] * (self.pools == 5)


def features(kind, **options):
    return VggFeatures(kind, **options) if kind.startswith("vgg") else ResNetFeatures(kind, **options)


# ---- nets on encoders ----


class TernausNet(nn.Module):
    class ConvRelu(nn.Module):
        def __init__(self, cin, cout):
            super().__init__()
            self.conv = nn.Conv2d(cin, cout, 3, padding=1)

        def forward(self, x):
            return F.relu(self.conv(x))

    class Decoder(nn.Module):
        def __init__(self, cin, middle, cout):
            super().__init__()
            self.block = nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
                                       TernausNet.ConvRelu(cin, middle), TernausNet.ConvRelu(middle, cout))

        def forward(self, x):
            return self.block(x)

    def __init__(self, model, in_channels=3, out_channels=1):
        super().__init__()
        self.on_resnet = model == "albunet34"
        kind = {"unet11": "vgg11", "unet16": "vgg16", "albunet34": "resnet34"}[model]
        pool = {"pool": nn.MaxPool2d(2)} if self.on_resnet else {}
        self.encoder = features(kind, in_channels=in_channels, **pool)
        nf, four = 32, 4 if model == "unet11" else 8
        self.center = self.Decoder(512, nf * 16, nf * 8)
        self.dec5 = self.Decoder(512 + nf * 8, nf * 16, nf * 8)
        if self.on_resnet:
            self.dec4 = self.Decoder(256 + nf * 8, nf * 16, nf * 8)
            self.dec3 = self.Decoder(128 + nf * 8, nf * 8, nf * 2)
            self.dec2 = self.Decoder(64 + nf * 2, nf * 4, nf * 4)
            self.dec1 = self.Decoder(nf * 4, nf * 4, nf)
            self.dec0 = self.ConvRelu(nf, nf)
        else:
            self.dec4 = self.Decoder(512 + nf * 8, nf * 16, nf * four)
            self.dec3 = self.Decoder(256 + nf * four, nf * 8, nf * 2)
            self.dec2 = self.Decoder(128 + nf * 2, nf * 4, nf)
            self.dec1 = self.ConvRelu(64 + nf, nf)
        self.final = nn.Conv2d(nf, out_channels, 1)

    def forward(self, x):
        if self.on_resnet:
            _, c2, c3, c4, c5 = self.encoder(x)
            y = self.center(F.max_pool2d(c5, 2))
        else:
            c1, c2, c3, c4, c5, pooled = self.encoder(x)
            y = self.center(pooled)
        y = self.dec5(torch.cat([y, c5], 1))
        y = self.dec4(torch.cat([y, c4], 1))
        y = self.dec3(torch.cat([y, c3], 1))
        y = self.dec2(torch.cat([y, c2], 1))
        y = self.dec0(self.dec1(y)) if self.on_resnet else self.dec1(torch.cat([y, c1], 1))
        return self.final(y)


class ResNetUNet(nn.Module):
    """segmentation_models.pytorch's Unet(encoder)."""

    class Block(nn.Module):
        def __init__(self, cin, cout):
            super().__init__()
            conv = lambda a: nn.Sequential(nn.Conv2d(a, cout, 3, padding=1, bias=False), nn.BatchNorm2d(cout), nn.ReLU())
            self.conv1, self.conv2 = conv(cin), conv(cout)

        def forward(self, x, skip):
            x = F.interpolate(x, scale_factor=2, mode="nearest")
            return self.conv2(self.conv1(x if skip is None else torch.cat([x, skip], 1)))

    def __init__(self, encoder, in_channels=3, out_channels=1):
        super().__init__()
        self.encoder = features(encoder, in_channels=in_channels)
        widths, below = [256, 128, 64, 32, 16], self.encoder.channels[-1]
        self.decoder = nn.Module()
        self.decoder.blocks = nn.ModuleList()
        for cout, skip in zip(widths, self.encoder.channels[-2::-1] + [0]):
            self.decoder.blocks.append(self.Block(below + skip, cout))
            below = cout
        self.segmentation_head = nn.Sequential(nn.Conv2d(below, out_channels, 3, padding=1))
        for m in self.decoder.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_uniform_(m.weight, mode="fan_in", nonlinearity="relu")
        nn.init.xavier_uniform_(self.segmentation_head[0].weight)
        nn.init.zeros_(self.segmentation_head[0].bias)

    def forward(self, x):
        *skips, y = self.encoder(x)
        for block in self.decoder.blocks:
            y = block(y, skips.pop() if skips else None)
        return self.segmentation_head(y)


class Aspp(nn.Module):
    def __init__(self, cin, rates, pooled=True, bias=False, dropout=0.5):
        super().__init__()
        self.pooled = pooled
        conv = lambda a, rate: [nn.Conv2d(a, 256, 3 if rate else 1, padding=rate, dilation=max(rate, 1), bias=bias),
                                nn.BatchNorm2d(256), nn.ReLU()]
        branches = [nn.Sequential(*conv(cin, rate)) for rate in [0, *rates]]
        if pooled:
            branches.append(nn.Sequential(nn.AdaptiveAvgPool2d(1), *conv(cin, 0)))
        self.convs = nn.ModuleList(branches)
        self.project = nn.Sequential(*conv(256 * len(branches), 0), nn.Dropout(dropout))

    def forward(self, x):
        parts = [branch(x) for branch in self.convs]
        if self.pooled:
            parts[-1] = F.interpolate(parts[-1], size=x.shape[-2:], mode="bilinear", align_corners=False)
        return self.project(torch.cat(parts, 1))


class AtrousNet(nn.Module):
    """DeepLabV3 and its forms, DeepLabV3+, FCN."""

    def __init__(self, model, encoder, in_channels=3, out_channels=1, output_stride=8, rates=(12, 24, 36), pooled=True,
                 auxiliary=True, progressive_decoder=False, separable=False):
        super().__init__()
        comma10k = model == "deeplabv3-comma10k"
        self.model, self.progressive_decoder = model, progressive_decoder
        options = dict(first_block=True) if comma10k else {}
        self.backbone = features(encoder, in_channels=in_channels, output_stride=output_stride, **options)
        channels = self.backbone.channels
        head = lambda cin: torchvision.models.segmentation.fcn.FCNHead(cin, out_channels)
        if model == "fcn":
            self.classifier = head(channels[-1])
        elif model == "deeplabv3plus":
            conv = lambda a, b, k: nn.Conv2d(a, b, k, padding=k // 2, bias=False)
            self.low = 2 if encoder.startswith("vgg") else 1
            self.classifier = nn.Module()
            self.classifier.project = nn.Sequential(conv(channels[self.low], 48, 1), nn.BatchNorm2d(48), nn.ReLU())
            self.classifier.aspp = Aspp(channels[-1], rates, pooled)
            self.classifier.classifier = nn.Sequential(conv(304, 256, 3), nn.BatchNorm2d(256), nn.ReLU(),
                                                       nn.Conv2d(256, out_channels, 1))
            if separable:
                make_separable(self.classifier)
            for m in self.classifier.modules():
                if isinstance(m, nn.Conv2d):
                    nn.init.kaiming_normal_(m.weight)
                    if m.bias is not None:
                        nn.init.zeros_(m.bias)
        else:
            conv = lambda a, b: [nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU()]
            self.classifier = nn.Module()
            self.classifier.add_module("0", Aspp(channels[-1], rates, pooled, comma10k, 0.0 if comma10k else 0.5))
            if not comma10k:
                for i, m in enumerate(conv(256, 256)):
                    self.classifier.add_module(str(i + 1), m)
            width = 256
            if progressive_decoder:
                self.classifier.steps = nn.ModuleList()
                while 2 ** len(self.classifier.steps) < output_stride:
                    self.classifier.steps.append(nn.Sequential(*conv(width, max(width // 2, 32))))
                    width = max(width // 2, 32)
            self.classifier.add_module("4", nn.Conv2d(width, out_channels, 1))
        if auxiliary and model not in ("deeplabv3plus", "deeplabv3-comma10k"):
            self.aux_classifier = head(channels[-2])

    def logits(self, levels, size):
        head = self.classifier
        resize = lambda y, s: F.interpolate(y, size=s, mode="bilinear", align_corners=False)
        if self.model == "fcn":
            return head(levels[-1])
        if self.model == "deeplabv3plus":
            low = head.project(levels[self.low])
            return head.classifier(torch.cat([low, resize(head.aspp(levels[-1]), low.shape[-2:])], 1))
        parts = dict(head.named_children())
        y = parts["0"](levels[-1])
        for name in "123":
            y = parts[name](y) if name in parts else y
        for i, step in enumerate(parts.get("steps", [])):
            stride = 2 ** (len(parts["steps"]) - 1 - i)
            y = step(resize(y, [-(-s // stride) for s in size]))
        return parts["4"](y)

    def forward(self, x):
        levels = self.backbone(x)
        raised = lambda y: F.interpolate(y, size=x.shape[-2:], mode="bilinear", align_corners=False)
        out = {"out": raised(self.logits(levels, x.shape[-2:]))}
        if hasattr(self, "aux_classifier"):
            out["aux"] = raised(self.aux_classifier(levels[-2]))
        return out


def make_separable(module):
    """Every convolution larger than 1x1 becomes body.0, one filter a channel, and body.1, 1x1."""
    for name, child in list(module.named_children()):
        make_separable(child)
        if isinstance(child, nn.Conv2d) and child.kernel_size[0] > 1:
            new = nn.Module()
            new.body = nn.Sequential(
                nn.Conv2d(child.in_channels, child.in_channels, child.kernel_size, padding=child.padding,
                          dilation=child.dilation, groups=child.in_channels, bias=False),
                nn.Conv2d(child.in_channels, child.out_channels, 1, bias=False))
            new.forward = new.body.forward
            setattr(module, name, new) if not name.isdigit() else module._modules.__setitem__(name, new)


def config_of(recipe):
    """What make_net takes, from the recipe in a checkpoint of atrous train."""
    model, encoder = recipe["model"], recipe.get("encoder", "")
    c = {k: recipe[k] for k in ("model", "in_channels", "out_channels")}
    if model == "unet" and not encoder:
        names = "base_channels depth bilinear align_corners full_width batch_norm kernel"
        return {**c, **{k: recipe[k] for k in names.split() if k in recipe}}
    own = {"fcn": ("resnet50", 8), "deeplabv3": ("resnet50", 8), "deeplabv3-comma10k": ("resnet18", 8),
           "deeplabv3plus": ("resnet50", 16)}
    if model not in own:
        return {**c, "encoder": encoder} if encoder else c
    stride = recipe["output_stride"] or own[model][1]
    rates = (6, 12, 18) if "comma10k" in model else tuple(96 // stride * i for i in (1, 2, 3))
    return {**c, "encoder": encoder or own[model][0], "output_stride": stride, "rates": recipe["rates"] or rates,
            "pooled": recipe["aspp_pooling"], "auxiliary": recipe["auxiliary"], "progressive_decoder": recipe["gentle_decoder"],
            "separable": recipe["separable"]}


def make_net(config, dropout=False):
    """The net of a configuration as atrous::NetConfig has it."""
    c = dict(config)
    model = c.pop("model")
    if model == "unet" and "encoder" not in c:
        net = UNet(**c)
    elif model == "unet":
        net = ResNetUNet(**c)
    elif model in ("unet11", "unet16", "albunet34"):
        net = TernausNet(model, **c)
    elif model in ("fcn", "deeplabv3") and torchvision_has(model, c):
        make = getattr(torchvision.models.segmentation, f"{model}_{c['encoder']}")
        net = make(weights=None, weights_backbone=None, num_classes=c["out_channels"], aux_loss=True)
    else:
        net = AtrousNet(model, **c)
    for m in net.modules():
        if isinstance(m, nn.Dropout) and not dropout:
            m.p = 0.0
    return net


def torchvision_has(model, c):
    return c["encoder"] in ("resnet50", "resnet101") and set(c) <= {"encoder", "out_channels"}

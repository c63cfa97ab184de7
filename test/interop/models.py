"""Small networks of every common family, written as their users write them. Widths are small so that all is fast.

`zoo()` gives them by name, each with its input's shape and the names of its head: the tensors that no pretraining
changes.
"""

from dataclasses import dataclass
from typing import Callable

import torch
from torch import nn
from torch.nn import functional as F

from further_models import CLASSES, further
from token_models import VOCABULARY, of_tokens


@dataclass(frozen=True)
class Entry:
    make: Callable[[], nn.Module]
    shape: tuple[int, ...]
    # Prefix of the head's keys in the state dict; several where a decoder belongs to it.
    head: str | tuple[str, ...]
    # Of the batch. Where an activation comes so near a kink that rounding decides, gradients differ for good reason:
    # another batch avoids it.
    seed: int = 23
    # How many tokens there are, where samples are tokens.
    vocabulary: int = 0

    def taken(self, samples: torch.Tensor) -> torch.Tensor:
        """Samples, which are written as numbers, as the network takes them."""
        return samples.long() if self.vocabulary else samples


def mlp(activation: type[nn.Module]) -> nn.Module:
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, 24), activation(), nn.Linear(24, 16), activation(), nn.Linear(16, CLASSES)
    )


class Table(nn.Module):
    """Rows of numbers: batch normalisation over columns, Dropout, PReLU."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(12, 20, bias=False)
        self.norm = nn.BatchNorm1d(20)
        self.slope = nn.PReLU(20)
        self.drop = nn.Dropout(0.3)
        self.second = nn.Linear(20, 16)
        self.out = nn.Linear(16, CLASSES)

    def forward(self, x):
        x = self.drop(self.slope(self.norm(self.hidden(x))))
        return self.out(F.elu(self.second(x)))


class LeNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 4 * 4, 32)
        self.fc2 = nn.Linear(32, 24)
        self.fc3 = nn.Linear(24, CLASSES)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(torch.tanh(self.conv2(x)), 2)
        x = x.view(x.size(0), -1)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))


class Vgg(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for width in (8, 8, "M", 16, 16, "M"):
            if width == "M":
                layers.append(nn.MaxPool2d(2, 2))
                continue
            layers += [nn.Conv2d(before, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
            before = width
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d((2, 2))
        self.classifier = nn.Sequential(
            nn.Linear(64, 32), nn.ReLU(True), nn.Dropout(), nn.Linear(32, CLASSES)
        )

    def forward(self, x):
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


class Basic(nn.Module):
    def __init__(self, before: int, width: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = None
        if stride != 1 or before != width:
            self.downsample = nn.Sequential(nn.Conv2d(before, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x):
        way = x if self.downsample is None else self.downsample(x)
        x = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(x)) + way)


class ResNet(nn.Module):
    """The stem of ResNet-18 (7×7, overlapping max pool), blocks of width 8 to 16."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = nn.Sequential(Basic(8, 8), Basic(8, 8))
        self.layer2 = nn.Sequential(Basic(8, 16, 2), Basic(16, 16))
        self.fc = nn.Linear(16, CLASSES)

    def forward(self, x):
        x = self.maxpool(F.relu(self.bn1(self.conv1(x))))
        x = self.layer2(self.layer1(x))
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))


class WideBlock(nn.Module):
    """Pre-activation, as in Wide ResNets."""

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(before)
        self.conv1 = nn.Conv2d(before, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.drop = nn.Dropout(0.2)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.shortcut = nn.Conv2d(before, width, 1, stride, bias=False)

    def forward(self, x):
        ready = F.relu(self.bn1(x))
        return self.conv2(self.drop(F.relu(self.bn2(self.conv1(ready))))) + self.shortcut(ready)


class WideResNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.blocks = nn.Sequential(WideBlock(8, 12, 1), WideBlock(12, 16, 2))
        self.bn = nn.BatchNorm2d(16)
        self.linear = nn.Linear(16, CLASSES)

    def forward(self, x):
        x = F.relu(self.bn(self.blocks(self.conv(x))))
        x = F.avg_pool2d(x, 8)
        return self.linear(x.view(-1, 16))


class Grouped(nn.Module):
    """ResNeXt-like: grouped and dilated convolutions, group normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, 2, 1)
        self.norm = nn.GroupNorm(4, 16)
        self.group = nn.Conv2d(16, 16, 3, padding=1, groups=4)
        self.wide = nn.Conv2d(16, 32, 3, padding=2, dilation=2, groups=2)
        self.inner = nn.InstanceNorm2d(32, affine=True)
        self.head = nn.Linear(32, CLASSES)

    def forward(self, x):
        x = F.leaky_relu(self.norm(self.stem(x)), 0.1)
        x = F.relu(self.group(x)) + x
        x = F.selu(self.inner(self.wide(x)))
        return self.head(x.mean(dim=(2, 3)))


class Inception(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, 2, 1)
        self.one = nn.Conv2d(8, 6, 1)
        self.three = nn.Sequential(nn.Conv2d(8, 4, 1), nn.ReLU(), nn.Conv2d(4, 8, (1, 3), padding=(0, 1)))
        self.five = nn.Sequential(nn.Conv2d(8, 4, 1), nn.ReLU(), nn.Conv2d(4, 8, 5, padding=2))
        self.pool = nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.Conv2d(8, 6, 1))
        self.average = nn.AvgPool2d(3, 2, 1)
        self.fc = nn.Linear(28, CLASSES)

    def forward(self, x):
        x = F.relu(self.stem(x))
        x = F.relu(torch.cat([self.one(x), self.three(x), self.five(x), self.pool(x)], 1))
        x = self.average(x)
        return self.fc(torch.amax(x, dim=(2, 3)))


class DenseLayer(nn.Module):
    def __init__(self, before: int, growth: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(before)
        self.conv1 = nn.Conv2d(before, 2 * growth, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(2 * growth)
        self.conv2 = nn.Conv2d(2 * growth, growth, 3, padding=1, bias=False)

    def forward(self, x):
        return torch.cat([x, self.conv2(F.relu(self.norm2(self.conv1(F.relu(self.norm1(x))))))], 1)


class DenseNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv0 = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.block1 = nn.Sequential(DenseLayer(8, 4), DenseLayer(12, 4))
        self.transition = nn.Sequential(nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 8, 1, bias=False), nn.AvgPool2d(2))
        self.block2 = nn.Sequential(DenseLayer(8, 4), DenseLayer(12, 4))
        self.norm5 = nn.BatchNorm2d(16)
        self.classifier = nn.Linear(16, CLASSES)

    def forward(self, x):
        x = self.block2(self.transition(self.block1(self.conv0(x))))
        return self.classifier(F.adaptive_avg_pool2d(F.relu(self.norm5(x)), (1, 1)).flatten(1))


class Squeeze(nn.Module):
    """Squeeze and excitation."""

    def __init__(self, width: int, gate: type[nn.Module]) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(width, 4, 1)
        self.fc2 = nn.Conv2d(4, width, 1)
        self.gate = gate()

    def forward(self, x):
        return x * self.gate(self.fc2(F.relu(self.fc1(F.adaptive_avg_pool2d(x, 1)))))


class Inverted(nn.Module):
    """An inverted residual block: expand, depthwise, squeeze, project."""

    def __init__(self, before, width, stride, act, gate=None) -> None:
        super().__init__()
        wide = before * 3
        layers = [nn.Conv2d(before, wide, 1, bias=False), nn.BatchNorm2d(wide), act()]
        layers += [nn.Conv2d(wide, wide, 3, stride, 1, groups=wide, bias=False), nn.BatchNorm2d(wide), act()]
        if gate is not None:
            layers.append(Squeeze(wide, gate))
        layers += [nn.Conv2d(wide, width, 1, bias=False), nn.BatchNorm2d(width)]
        self.conv = nn.Sequential(*layers)
        self.residual = stride == 1 and before == width

    def forward(self, x):
        return x + self.conv(x) if self.residual else self.conv(x)


class MobileNet(nn.Module):
    def __init__(self, act, gate=None, classifier: str = "plain") -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1, bias=False),
            nn.BatchNorm2d(8),
            act(),
            Inverted(8, 8, 1, act, gate),
            Inverted(8, 12, 2, act, gate),
            Inverted(12, 12, 1, act, gate),
        )
        if classifier == "plain":
            self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(12, CLASSES))
        else:
            self.classifier = nn.Sequential(nn.Linear(12, 16), act(), nn.Dropout(0.2), nn.Linear(16, CLASSES))

    def forward(self, x):
        x = self.features(x)
        x = x.mean([2, 3])
        return self.classifier(x)


class LayerNorm2d(nn.LayerNorm):
    """Layer normalisation over the channels of a picture."""

    def forward(self, x):
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ConvNextBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.pwconv1 = nn.Linear(width, 3 * width)
        self.pwconv2 = nn.Linear(3 * width, width)
        self.gamma = nn.Parameter(torch.full((width,), 0.1))

    def forward(self, x):
        y = self.norm(self.dwconv(x).permute(0, 2, 3, 1))
        y = self.gamma * self.pwconv2(F.gelu(self.pwconv1(y)))
        return x + y.permute(0, 3, 1, 2)


class ConvNext(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 2, 2), LayerNorm2d(8))
        self.stage1 = nn.Sequential(ConvNextBlock(8), ConvNextBlock(8))
        self.down = nn.Sequential(LayerNorm2d(8), nn.Conv2d(8, 16, 2, 2))
        self.stage2 = ConvNextBlock(16)
        self.norm = nn.LayerNorm(16)
        self.head = nn.Linear(16, CLASSES)

    def forward(self, x):
        x = self.stage2(self.down(self.stage1(self.stem(x))))
        return self.head(self.norm(x.mean([-2, -1])))


class UNetEncoder(nn.Module):
    """The contracting path of a U-Net, and a classifier on its deepest features and one skip connection."""

    def __init__(self) -> None:
        super().__init__()

        def double(before, width):
            return nn.Sequential(
                nn.Conv2d(before, width, 3, padding=1),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
                nn.Conv2d(width, width, 3, padding=1),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            )

        self.inc = double(1, 6)
        self.down1 = double(6, 8)
        self.up = nn.ConvTranspose2d(8, 6, 2, 2)
        self.merge = double(12, 8)
        self.outc = nn.Linear(8, CLASSES)

    def forward(self, x):
        skip = self.inc(x)
        x = self.down1(F.max_pool2d(skip, 2))
        x = self.merge(torch.cat([skip, self.up(x)], dim=1))
        return self.outc(x.mean((2, 3)))


class UNet(UNetEncoder):
    """
    A U-Net that scores every pixel, and the mean of its scores: F ends in front of its decoder, which has no running
    statistics, since an export in training mode moves them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.merge = nn.Sequential(nn.Conv2d(12, 8, 3, padding=1), nn.ReLU())
        self.outc = nn.Conv2d(8, CLASSES, 1)

    def forward(self, x):
        skip = self.inc(x)
        x = self.down1(F.max_pool2d(skip, 2))
        return self.outc(self.merge(torch.cat([skip, self.up(x)], dim=1))).mean((2, 3))


class Signal(nn.Module):
    """A 1-D CNN."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv1d(2, 8, 7, stride=2, padding=3),
            nn.BatchNorm1d(8),
            nn.ReLU(),
            nn.MaxPool1d(2),
            nn.Conv1d(8, 12, 5, padding="same"),
            nn.BatchNorm1d(12),
            nn.Softplus(),
            nn.Conv1d(12, 12, 3, padding=1, groups=3),
            nn.Hardtanh(-2, 2),
            nn.AdaptiveAvgPool1d(1),
            nn.Flatten(),
        )
        self.head = nn.Linear(12, CLASSES)

    def forward(self, x):
        return self.head(self.net(x))


class MixerBlock(nn.Module):
    def __init__(self, tokens: int, width: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.token = nn.Sequential(nn.Linear(tokens, 12), nn.GELU(), nn.Linear(12, tokens))
        self.norm2 = nn.LayerNorm(width)
        self.channel = nn.Sequential(nn.Linear(width, 24), nn.GELU(), nn.Linear(24, width))

    def forward(self, x):
        x = x + self.token(self.norm1(x).transpose(1, 2)).transpose(1, 2)
        return x + self.channel(self.norm2(x))


class Mixer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 12, 4, 4)
        self.blocks = nn.Sequential(MixerBlock(16, 12), MixerBlock(16, 12))
        self.norm = nn.LayerNorm(12)
        self.head = nn.Linear(12, CLASSES)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        return self.head(self.norm(self.blocks(x)).mean(dim=1))


class Attention(nn.Module):
    """Multi-head attention written out, with one matrix for queries, keys and values."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x):
        b, n, c = x.shape
        qkv = self.qkv(x).reshape(b, n, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        q, k, v = qkv[0], qkv[1], qkv[2]
        scores = (q @ k.transpose(-2, -1)) * (c // self.heads) ** -0.5
        x = scores.softmax(dim=-1) @ v
        return self.proj(x.transpose(1, 2).reshape(b, n, c))


class FusedAttention(Attention):
    """The same through PyTorch's fused function."""

    def forward(self, x):
        b, n, c = x.shape
        q, k, v = self.qkv(x).view(b, n, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        x = F.scaled_dot_product_attention(q, k, v)
        return self.proj(x.transpose(1, 2).reshape(b, n, c))


class Transformer(nn.Module):
    """A small Vision Transformer."""

    def __init__(self, attention: type[nn.Module]) -> None:
        super().__init__()
        self.patch_embed = nn.Conv2d(3, 16, 4, 4)
        self.cls_token = nn.Parameter(torch.randn(1, 1, 16) * 0.2)
        self.pos_embed = nn.Parameter(torch.randn(1, 17, 16) * 0.2)
        self.blocks = nn.ModuleList()
        for _ in range(2):
            block = nn.Module()
            block.norm1 = nn.LayerNorm(16)
            block.attn = attention(16, 2)
            block.norm2 = nn.LayerNorm(16)
            block.mlp = nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Dropout(0.1), nn.Linear(32, 16))
            self.blocks.append(block)
        self.norm = nn.LayerNorm(16)
        self.head = nn.Linear(16, CLASSES)

    def forward(self, x):
        x = self.patch_embed(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(x.shape[0], -1, -1), x], dim=1) + self.pos_embed
        for block in self.blocks:
            x = x + block.attn(block.norm1(x))
            x = x + block.mlp(block.norm2(x))
        return self.head(self.norm(x)[:, 0])


class EncoderLayer(nn.Module):
    """PyTorch's own transformer layer over patches."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Linear(8, 16)
        self.layer = nn.TransformerEncoderLayer(16, 2, 24, batch_first=True, norm_first=True)
        self.fc = nn.Linear(16, CLASSES)

    def forward(self, x):
        return self.fc(self.layer(self.patch(x)).mean(1))


def torchvision_model(name: str) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        import torchvision

        return getattr(torchvision.models, name)(weights=None, num_classes=CLASSES)

    return make


def zoo() -> dict[str, Entry]:
    picture = (3, 16, 16)
    return {
        "mlp-relu": Entry(lambda: mlp(nn.ReLU), (1, 8, 8), "5."),
        "mlp-sigmoid": Entry(lambda: mlp(nn.Sigmoid), (1, 8, 8), "5."),
        "table": Entry(Table, (12,), "out."),
        "lenet": Entry(LeNet, (1, 24, 24), "fc3."),
        "vgg": Entry(Vgg, picture, "classifier.3."),
        "resnet": Entry(ResNet, (3, 32, 32), "fc."),
        "wide-resnet": Entry(WideResNet, picture, "linear."),
        "grouped": Entry(Grouped, picture, "head."),
        "inception": Entry(Inception, picture, "fc."),
        "densenet": Entry(DenseNet, picture, "classifier."),
        "mobilenet-v2": Entry(lambda: MobileNet(nn.ReLU6), picture, "classifier.1."),
        "mobilenet-v3": Entry(lambda: MobileNet(nn.Hardswish, nn.Hardsigmoid, "deep"), picture, "classifier.3."),
        "efficientnet": Entry(lambda: MobileNet(nn.SiLU, nn.Sigmoid), picture, "classifier.1."),
        "convnext": Entry(ConvNext, picture, "head."),
        "unet-encoder": Entry(UNetEncoder, (1, 16, 16), "outc."),
        "unet": Entry(UNet, (1, 16, 16), ("up.", "merge.", "outc.")),
        "signal": Entry(Signal, (2, 64), "head."),
        "mixer": Entry(Mixer, picture, "head."),
        "vit": Entry(lambda: Transformer(Attention), picture, "head."),
        "vit-fused": Entry(lambda: Transformer(FusedAttention), picture, "head."),
        "encoder-layer": Entry(EncoderLayer, (6, 8), "fc."),
        "torchvision-resnet18": Entry(torchvision_model("resnet18"), (3, 64, 64), "fc."),
        "torchvision-shufflenet": Entry(torchvision_model("shufflenet_v2_x0_5"), (3, 64, 64), "fc."),
        **{name: Entry(*arguments) for name, arguments in further().items()},
        **{name: Entry(make, (6,), "fc.", vocabulary=VOCABULARY) for name, make in of_tokens().items()},
    }

"""More networks, of torchvision's own classes in small sizes and with what users do around them. See models.py."""

from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

CLASSES = 5


def efficientnet() -> nn.Module:
    from torchvision.models.efficientnet import EfficientNet, FusedMBConvConfig, MBConvConfig

    stages = [
        FusedMBConvConfig(2, 3, 1, 8, 8, 1),
        MBConvConfig(2, 3, 2, 8, 16, 2, 1.0, 1.0),
        MBConvConfig(2, 5, 1, 16, 16, 1, 1.0, 1.0),
    ]
    return EfficientNet(stages, dropout=0.2, last_channel=24, num_classes=CLASSES)


def mobilenet_v3() -> nn.Module:
    from torchvision.models.mobilenetv3 import InvertedResidualConfig, MobileNetV3

    stages = [
        InvertedResidualConfig(8, 3, 8, 8, True, "RE", 2, 1, 1.0),
        InvertedResidualConfig(8, 3, 24, 16, False, "RE", 1, 1, 1.0),
        InvertedResidualConfig(16, 5, 32, 16, True, "HS", 1, 1, 1.0),
    ]
    return MobileNetV3(stages, last_channel=24, num_classes=CLASSES)


def mobilenet_v2() -> nn.Module:
    from torchvision.models.mobilenetv2 import MobileNetV2

    stages = [[1, 8, 1, 1], [2, 12, 2, 2]]
    return MobileNetV2(num_classes=CLASSES, width_mult=0.25, inverted_residual_setting=stages, round_nearest=4)


def densenet() -> nn.Module:
    from torchvision.models.densenet import DenseNet

    return DenseNet(growth_rate=4, block_config=(2, 2), num_init_features=8, num_classes=CLASSES)


def regnet() -> nn.Module:
    from torchvision.models.regnet import BlockParams, RegNet

    params = BlockParams.from_init_params(depth=4, w_0=16, w_a=8.0, w_m=2.0, group_width=8, se_ratio=0.25)
    return RegNet(params, num_classes=CLASSES, stem_width=8)


def convnext() -> nn.Module:
    from torchvision.models.convnext import CNBlockConfig, ConvNeXt

    return ConvNeXt([CNBlockConfig(8, 16, 2), CNBlockConfig(16, None, 1)], num_classes=CLASSES)


def swin() -> nn.Module:
    from torchvision.models.swin_transformer import SwinTransformer

    return SwinTransformer([2, 2], 8, [2, 1], [2, 2], [4, 4], num_classes=CLASSES)


def vision_transformer() -> nn.Module:
    from torchvision.models.vision_transformer import VisionTransformer

    network = VisionTransformer(16, 4, 2, 2, 16, 32, num_classes=CLASSES)
    # Zero by default, from which nothing flows.
    nn.init.normal_(network.heads.head.weight, std=0.1)
    return network


def squeezenet() -> nn.Module:
    from torchvision.models.squeezenet import Fire

    class SqueezeNet(nn.Module):
        """torchvision's blocks and its head: a convolution, then global pooling."""

        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(
                nn.Conv2d(3, 8, 3, 2), nn.ReLU(True), nn.MaxPool2d(3, 2, ceil_mode=True), Fire(8, 4, 8, 8), Fire(16, 4, 8, 8)
            )
            self.classifier = nn.Sequential(
                nn.Dropout(0.5), nn.Conv2d(16, CLASSES, 1), nn.ReLU(True), nn.AdaptiveAvgPool2d((1, 1))
            )

        def forward(self, x):
            return torch.flatten(self.classifier(self.features(x)), 1)

    return SqueezeNet()


class Encoder(nn.Module):
    """PyTorch's TransformerEncoder, behind learned positions."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(8, 16, bias=False)
        self.positions = nn.Parameter(torch.randn(6, 16) * 0.1)
        layer = nn.TransformerEncoderLayer(16, 4, 24, activation="gelu", batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, norm=nn.LayerNorm(16), enable_nested_tensor=False)
        self.fc = nn.Linear(16, CLASSES)

    def forward(self, x):
        return self.fc(self.encoder(self.embed(x) + self.positions)[:, -1])


class Volume(nn.Module):
    """Pictures with depth."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(1, 6, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm3d(6)
        self.conv2 = nn.Conv3d(6, 8, 3, 2, 1)
        self.fc = nn.Linear(8, CLASSES)

    def forward(self, x):
        x = F.max_pool3d(F.relu(self.bn1(self.conv1(x))), 2)
        return self.fc(F.relu(self.conv2(x)).mean((2, 3, 4)))


class Upscaler(nn.Module):
    """Pixel shuffle, interpolation in two ways, and a view with the batch's size in it."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.LeakyReLU(0.2))
        self.up = nn.Sequential(nn.Conv2d(8, 16, 3, padding=1), nn.PixelShuffle(2), nn.ReLU())
        self.side = nn.Conv2d(8, 4, 1)
        self.last = nn.Conv2d(8, 4, 3, 2, 1)
        self.pool = nn.AvgPool2d((4, 2))
        self.fc = nn.Linear(32, CLASSES)

    def forward(self, x):
        x = self.body(x)
        side = F.interpolate(self.side(x), scale_factor=2, mode="nearest")
        x = torch.cat([self.up(x), side], 1)
        x = F.interpolate(self.last(x), size=(8, 8), mode="bilinear", align_corners=False)
        x = self.pool(torch.sigmoid(x))
        return self.fc(x.view(x.shape[0], -1))


class Einsum(nn.Module):
    """Attention by einsum, with matrices that are parameters of their own and no biases."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(8, 12, bias=False)
        self.query = nn.Parameter(torch.randn(12, 12) * 0.3)
        self.key = nn.Parameter(torch.randn(12, 12) * 0.3)
        self.norm = nn.LayerNorm(12)
        self.fc = nn.Linear(12, CLASSES)

    def forward(self, x):
        x = self.embed(x)
        scores = torch.einsum("bnd,bmd->bnm", x @ self.query, x @ self.key)
        x = self.norm(torch.einsum("bnm,bmd->bnd", scores.softmax(-1), x))
        return self.fc(x.mean(1))


class Shared(nn.Module):
    """One layer used twice, and a linear layer without bias on rows and on sequences."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(12, 12, bias=False)
        self.twice = nn.Sequential(nn.Linear(12, 12), nn.Tanh())
        self.norm = nn.BatchNorm1d(12)
        self.act = nn.PReLU()
        self.out = nn.Linear(12, CLASSES)

    def forward(self, x):
        x = self.twice(self.first(x))
        return self.out(self.act(self.norm(self.twice(x))))


class Normed(nn.Module):
    """Group and instance normalisation, and channels shuffled by view and transpose."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, 2, 1)
        self.norm1 = nn.GroupNorm(2, 8)
        self.conv2 = nn.Conv2d(8, 12, 3, padding=1, groups=2)
        self.norm2 = nn.InstanceNorm2d(12)
        self.conv3 = nn.Conv2d(12, 12, 3, padding="same", padding_mode="reflect")
        self.norm3 = nn.GroupNorm(12, 12)
        self.drop = nn.Dropout(0.1)
        self.fc = nn.Linear(12, CLASSES)

    def forward(self, x):
        x = F.silu(self.norm1(self.conv1(x)))
        n, c, h, w = x.shape
        x = x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)
        x = F.mish(self.norm2(self.conv2(x)))
        x = self.drop(F.hardswish(self.norm3(self.conv3(x))))
        return self.fc(torch.flatten(F.adaptive_max_pool2d(x, 1), 1))


class Recurrent(nn.Module):
    def __init__(self, kind: type[nn.Module]) -> None:
        super().__init__()
        self.rnn = kind(8, 12, batch_first=True)
        self.fc = nn.Linear(12, CLASSES)

    def forward(self, x):
        return self.fc(self.rnn(x)[0][:, -1])


class Recurrences(nn.Module):
    """Recurrent layers behind a convolution and each other: both directions, two layers, no biases, large and small."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(8, 10, 3, padding=1)
        self.gru = nn.GRU(10, 12, bias=False, batch_first=True)
        self.norm = nn.LayerNorm(12)
        # Its matrices are too large for the dynamo exporter to fold.
        self.lstm = nn.LSTM(12, 32, num_layers=2, bidirectional=True, batch_first=True)
        self.drop = nn.Dropout(0.1)
        self.rnn = nn.RNN(64, 9, nonlinearity="relu", batch_first=True)
        self.fc = nn.Linear(9 + 64, CLASSES)

    def forward(self, x):
        x = F.silu(self.conv(x.transpose(1, 2))).transpose(1, 2)
        x, _ = self.gru(x)
        x, (last, _) = self.lstm(self.norm(x))
        _, hidden = self.rnn(self.drop(x))
        return self.fc(torch.cat([hidden[0], last[-2], last[-1]], 1))


class AttentionPooling(nn.Module):
    """One learned query looks at all patches."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 4, 4)
        self.query = nn.Parameter(torch.randn(1, 1, 16))
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
        self.norm = nn.LayerNorm(16)
        self.fc = nn.Linear(16, CLASSES)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        pooled, _ = self.attention(self.query.expand(x.shape[0], -1, -1), x, x, need_weights=False)
        return self.fc(self.norm(pooled.squeeze(1)))


class Placed(nn.Module):
    """Positions that are a buffer, just as long as the sequences are."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(8, 16)
        self.register_buffer("fixed_positions", torch.randn(1, 6, 16))
        self.hidden = nn.Linear(16, 12)
        self.fc = nn.Linear(12, CLASSES)

    def forward(self, x):
        x = self.embed(x) + self.fixed_positions[:, : x.size(1)]
        return self.fc(F.gelu(self.hidden(x)).mean(1))


class Repeated(nn.Module):
    """A block that is called three times, and its normalisation with it."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, 2, 1)
        self.conv = nn.Conv2d(8, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.fc = nn.Linear(8, CLASSES)

    def forward(self, x):
        x = self.stem(x)
        for _ in range(3):
            x = self.norm(torch.sigmoid(self.conv(x)))
        return self.fc(x.mean((2, 3)))


class Affine(nn.Module):
    """A scale and a shift of their own, as in ResMLP."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.rand(1, 3, 1, 1) + 0.5)
        self.shift = nn.Parameter(torch.randn(1, 3, 1, 1) * 0.1)

    def forward(self, x):
        return torch.addcmul(self.shift, self.scale, x)


class ScaledBlock(nn.Module):
    """A branch with a factor a channel, which has one axis in PyTorch and four where it multiplies, and one factor more."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, padding=1)
        self.gamma = nn.Parameter(0.1 * torch.ones(8))
        self.alpha = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        return x + self.alpha * (F.gelu(self.conv(x)) * self.gamma.view(1, -1, 1, 1))


class Learned(nn.Module):
    """Parameters that are no layer's: in front of all layers, single numbers, and in other shapes."""

    def __init__(self) -> None:
        super().__init__()
        self.affine = Affine()
        self.stem = nn.Conv2d(3, 8, 4, 4)
        self.blocks = nn.Sequential(ScaledBlock(), ScaledBlock())
        # Not zero, which exporters do not add.
        self.offsets = nn.ParameterList([nn.Parameter(torch.tensor(0.1)), nn.Parameter(torch.tensor(0.1))])
        self.Matrix_1 = nn.Parameter(torch.randn(12, 8) * 0.3)
        self.fc = nn.Linear(12, CLASSES)

    def forward(self, x):
        x = self.blocks(F.relu(self.stem(self.affine(x)))) + self.offsets[0]
        return self.fc(F.silu(x.mean((2, 3)) @ self.Matrix_1.t() - self.offsets[1]))


class StandardisedConv(nn.Conv2d):
    """Filters of mean zero and variance one, as in BiT and NFNet."""

    def __init__(self, *arguments, **settings) -> None:
        super().__init__(*arguments, **settings)
        self.gain = nn.Parameter(torch.ones(self.out_channels, 1, 1, 1))

    def forward(self, x):
        flat = self.weight.reshape(1, self.out_channels, -1)
        scale = (self.gain * 0.5).view(-1)
        weight = F.batch_norm(flat, None, None, weight=scale, training=True, momentum=0.0, eps=1e-6)
        return F.conv2d(x, weight.reshape_as(self.weight), self.bias, self.stride, self.padding)


class Standardised(nn.Module):
    """Weights that are computed in every pass, pooling with a learned exponent, and positions put together from two parts."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = StandardisedConv(3, 8, 3, 2, 1)
        self.squeeze = nn.Conv2d(8, 8, 1)
        self.conv2 = StandardisedConv(8, 8, 3, 2, 1)
        self.places = nn.Parameter(torch.randn(1, 8, 5) * 0.1)
        self.exponent = nn.Parameter(torch.ones(1) * 3)
        self.fc = nn.Linear(8, CLASSES)

    def forward(self, x):
        x = F.silu(self.conv1(x))
        x = F.silu(self.conv2(x * torch.sigmoid(self.squeeze(x.mean((2, 3), keepdim=True))))).flatten(2)
        x = x + torch.cat([self.places[..., :1].expand(-1, -1, 12), self.places[..., 1:]], 2)
        x = x.clamp(min=1e-6).pow(self.exponent).mean(2).pow(1 / self.exponent)
        return self.fc(x)


class Reparametrized(nn.Module):
    """Weight normalisation and spectral normalisation, which compute a layer's weight from other tensors."""

    def __init__(self, wrap) -> None:
        super().__init__()
        self.conv1 = wrap(nn.Conv2d(3, 8, 3, 2, 1))
        self.conv2 = wrap(nn.Conv2d(8, 8, 3, 2, 1))
        self.fc = nn.Linear(8, CLASSES)

    def forward(self, x):
        return self.fc(F.relu(self.conv2(F.relu(self.conv1(x)))).mean((2, 3)))


def further() -> dict[str, tuple]:
    """Arguments of an Entry by name."""
    picture = (3, 32, 32)
    from torch.nn.utils.parametrizations import spectral_norm, weight_norm

    return {
        "tv-efficientnet": (efficientnet, picture, "classifier.1."),
        "tv-mobilenet-v3": (mobilenet_v3, picture, "classifier.3."),
        "tv-mobilenet-v2": (mobilenet_v2, picture, "classifier.1."),
        "tv-densenet": (densenet, picture, "classifier."),
        "tv-regnet": (regnet, picture, "fc."),
        "tv-convnext": (convnext, picture, "classifier.2."),
        "tv-swin": (swin, (3, 16, 16), "head."),
        "tv-vit": (vision_transformer, (3, 16, 16), "heads.head."),
        "tv-squeezenet": (squeezenet, picture, "classifier.1."),
        "encoder": (Encoder, (6, 8), "fc."),
        "volume": (Volume, (1, 8, 8, 8), "fc."),
        "upscaler": (Upscaler, (3, 16, 16), "fc."),
        "einsum": (Einsum, (6, 8), "fc."),
        "shared": (Shared, (12,), "out."),
        "normed": (Normed, (3, 16, 16), "fc."),
        "gru": (partial(Recurrent, nn.GRU), (6, 8), "fc."),
        "lstm": (partial(Recurrent, nn.LSTM), (6, 8), "fc."),
        "recurrences": (Recurrences, (7, 8), "fc."),
        "attention-pooling": (AttentionPooling, (3, 16, 16), "fc."),
        "placed": (Placed, (6, 8), "fc."),
        "repeated": (Repeated, (3, 16, 16), "fc."),
        "learned": (Learned, (3, 16, 16), "fc."),
        "standardised": (Standardised, (3, 16, 16), "fc."),
        "weight-norm": (partial(Reparametrized, weight_norm), (3, 16, 16), "fc."),
        "spectral-norm": (partial(Reparametrized, spectral_norm), (3, 16, 16), "fc."),
    }

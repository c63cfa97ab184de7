"""Exports the zoo of models.py in many ways, with PyTorch's own numbers to compare with.

Usage: python export_models.py FOLDER [NAME...]

Writes for each network
  NAME.safetensors   sample.* and gradients, see `reference`
and for each way to export it
  NAME.VARIANT.onnx
  NAME.VARIANT.json  {model, reference, variant, head, state: {key: shape}}, and `failed` where PyTorch could not
"""

import json
import logging
import os
import sys
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from torch.fx.experimental import optimization
from torchvision.ops import StochasticDepth

from further_models import further
from models import CLASSES, Entry, zoo

BATCH = 4


@dataclass(frozen=True)
class Variant:
    name: str
    exporter: str  # "dynamo" or "torchscript"
    mode: str  # "training", "inference"
    opset: int
    batch: str = "dynamic"  # or "one"
    # A network as its user has just made it: scales one, shifts zero, which exporters merge.
    fresh: bool = False
    initializers_as_inputs: bool = False
    # The dynamo exporter folds batch normalisation and merges equal tensors unless told not to.
    optimize: bool = True


COMMON = [
    Variant("dynamo", "dynamo", "inference", 20),
    Variant("dynamo-plain", "dynamo", "inference", 18, optimize=False),
    Variant("torchscript", "torchscript", "inference", 17),
    Variant("torchscript-training", "torchscript", "training", 17),
]
EVERY = [
    *COMMON,
    Variant("dynamo-plain-training", "dynamo", "training", 18, optimize=False),
    Variant("dynamo-18-one", "dynamo", "inference", 18, "one"),
    Variant("dynamo-newest-training", "dynamo", "training", 24),
    Variant("dynamo-newest-plain-one", "dynamo", "inference", 24, "one", optimize=False),
    Variant("dynamo-fresh", "dynamo", "inference", 20, fresh=True),
    Variant("dynamo-fresh-plain", "dynamo", "inference", 20, fresh=True, optimize=False),
    Variant("torchscript-11", "torchscript", "inference", 11),
    Variant("torchscript-11-training", "torchscript", "training", 11, initializers_as_inputs=True),
    Variant("torchscript-13-one", "torchscript", "inference", 13, "one"),
    Variant("torchscript-fresh", "torchscript", "inference", 17, fresh=True),
    Variant("torchscript-fresh-training", "torchscript", "training", 17, fresh=True),
    Variant("torchscript-20-one-training", "torchscript", "training", 20, "one"),
]
# Normalisation that cannot be folded, and is merged instead.
MERGED = [
    *COMMON,
    Variant("dynamo-fresh", "dynamo", "inference", 20, fresh=True),
    Variant("torchscript-fresh", "torchscript", "inference", 17, fresh=True),
    Variant("torchscript-fresh-training", "torchscript", "training", 17, fresh=True),
]
# What users get who give no options, before and after training, and what headstart tells them to take.
USUAL = [
    Variant("dynamo", "dynamo", "inference", 20),
    Variant("dynamo-plain", "dynamo", "inference", 18, optimize=False),
    Variant("dynamo-fresh", "dynamo", "inference", 18, fresh=True),
    Variant("torchscript-fresh", "torchscript", "inference", 17, fresh=True),
    Variant("torchscript-training", "torchscript", "training", 17),
]
# What headstart refuses, in exports that PyTorch can make; and where the TorchScript exporter does not say what is a buffer,
# or a parameter.
ONLY = {
    "learned": ("dynamo", "dynamo-plain", "dynamo-fresh"),
    "standardised": ("dynamo", "dynamo-plain"),
    "placed": ("dynamo", "dynamo-plain"),
    "weight-norm": ("dynamo", "torchscript-training"),
    "spectral-norm": ("dynamo",),
}
IN_EVERY_WAY = ("lenet", "resnet", "mobilenet-v3", "vit", "gru", "lstm")
MERGED_TOO = ("wide-resnet", "densenet", "convnext", "grouped")


def prepare(entry: Entry, fresh: bool) -> nn.Module:
    """A network with fixed random weights; unless fresh, normalisation is given numbers that all differ."""
    torch.manual_seed(7)
    model = entry.make()
    if not fresh:
        generator = torch.Generator().manual_seed(11)
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.count_nonzero() == 0:
                    parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.1)
        for module in model.modules():
            if isinstance(module, (nn.modules.batchnorm._BatchNorm, nn.LayerNorm, nn.GroupNorm)) and module.weight is not None:
                with torch.no_grad():
                    module.weight.copy_(torch.rand(module.weight.shape, generator=generator) + 0.5)
                    module.bias.copy_(torch.randn(module.bias.shape, generator=generator) * 0.2)
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is not None:
                module.running_mean.copy_(torch.randn(module.running_mean.shape, generator=generator) * 0.2)
                module.running_var.copy_(torch.rand(module.running_var.shape, generator=generator) + 0.5)
    return model


def drawn(entry: Entry, count: int, generator: torch.Generator | None = None) -> torch.Tensor:
    """Samples. Tokens are numbers from 1 on: PyTorch does not train the vector of 0 where that is padding."""
    shape = (count, *entry.shape)
    if entry.vocabulary:
        return torch.randint(1, entry.vocabulary, shape, generator=generator).float()
    return torch.randn(shape, generator=generator)


def reference(entry: Entry, fresh: bool) -> dict[str, torch.Tensor]:
    """PyTorch's numbers, computed in float64.

    samples, targets (one-hot); weights/KEY; logits (running statistics); loss and gradients/KEY in training (batch
    statistics, nothing dropped); and the same three under folded/ with batch normalisation folded into the layer
    before it where there is one, as exporters do in inference mode.
    """
    model = prepare(entry, fresh)
    generator = torch.Generator().manual_seed(entry.seed)
    samples = drawn(entry, BATCH, generator)
    targets = torch.arange(BATCH) % CLASSES
    found = {
        "samples": samples,
        "targets": nn.functional.one_hot(targets, CLASSES).float(),
        **{f"weights/{key}": value.clone() for key, value in model.state_dict().items()},
    }

    def measure(prefix: str, network: nn.Module) -> None:
        network.eval()
        found[f"{prefix}logits"] = network(entry.taken(samples.double())).float()
        network.train()
        for module in network.modules():
            if isinstance(module, (nn.Dropout, nn.MultiheadAttention, StochasticDepth)):
                module.eval()
            if isinstance(module, nn.MultiheadAttention):
                module.dropout = 0.0
        network.zero_grad()
        loss = nn.functional.cross_entropy(network(entry.taken(samples.double())), targets)
        loss.backward()
        found[f"{prefix}loss"] = loss.detach().float()
        for key, parameter in network.named_parameters():
            found[f"{prefix}weights/{key}"] = parameter.detach().float().clone()
            found[f"{prefix}gradients/{key}"] = parameter.grad.float().clone()

    measure("", model.double())
    has_batch_normalization = any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in model.modules())
    if has_batch_normalization:
        folded = optimization.fuse(prepare(entry, fresh).double().eval())
        for parameter in folded.parameters():
            parameter.requires_grad_(True)
        measure("folded/", folded)
    return {key: value.detach().contiguous() for key, value in found.items()}


def export(entry: Entry, variant: Variant, path: Path) -> None:
    model = prepare(entry, variant.fresh)
    training = variant.mode == "training"
    model.train(training)
    sample = entry.taken(drawn(entry, 1 if variant.batch == "one" else 2))
    names = {"input_names": ["input"], "output_names": ["logits"], "opset_version": variant.opset}
    if variant.exporter == "dynamo":
        dynamic = {"dynamic_shapes": ({0: torch.export.Dim.DYNAMIC},)} if variant.batch == "dynamic" else {}
        torch.onnx.export(model, (sample,), path, dynamo=True, optimize=variant.optimize, external_data=False, verbose=False, **names, **dynamic)
        return
    axes = {"dynamic_axes": {"input": {0: "batch"}, "logits": {0: "batch"}}} if variant.batch == "dynamic" else {}
    mode = torch.onnx.TrainingMode.TRAINING if training else torch.onnx.TrainingMode.EVAL
    torch.onnx.export(
        model,
        (sample,),
        path,
        dynamo=False,
        training=mode,
        do_constant_folding=not training,
        keep_initializers_as_inputs=variant.initializers_as_inputs,
        **names,
        **axes,
    )


def export_all(name: str, folder: Path) -> str:
    """Writes all exports of one network, and says in a line how long it took."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    entry = zoo()[name]
    variants = EVERY if name in IN_EVERY_WAY else MERGED if name in MERGED_TOO else USUAL if name in further() else COMMON
    if name in ONLY:
        variants = [variant for variant in variants if variant.name in ONLY[name]]
    started = time.perf_counter()
    for fresh in {variant.fresh for variant in variants}:
        save_file(reference(entry, fresh), folder / f"{name}{'-fresh' if fresh else ''}.safetensors")
    state = prepare(entry, False).state_dict()
    for variant in variants:
        record = {
            "model": name,
            "reference": f"{name}{'-fresh' if variant.fresh else ''}.safetensors",
            "variant": asdict(variant),
            "head": [key for key in state if key.startswith(entry.head)],
            "state": {key: list(value.shape) for key, value in state.items()},
        }
        path = folder / f"{name}.{variant.name}.onnx"
        try:
            export(entry, variant, path)
        except Exception as error:  # What PyTorch cannot export is no failure of ours; the tests count these.
            record["failed"] = f"{type(error).__name__}: {str(error).splitlines()[0][:200]}"
        path.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")
    return f"{name}: {len(variants)} exports, {time.perf_counter() - started:.1f} s"


def main() -> None:
    folder = Path(sys.argv[1])
    names = [name for name in zoo() if len(sys.argv) == 2 or name in sys.argv[2:]]
    folder.mkdir(parents=True, exist_ok=True)
    # Tracing is single-threaded work. Fresh processes, as those that are forked after PyTorch's threads began may hang.
    with ProcessPoolExecutor(min(os.cpu_count() or 1, 4), get_context("spawn")) as workers:
        for line in workers.map(export_all, names, repeat(folder)):
            print(line, flush=True)


if __name__ == "__main__":
    main()

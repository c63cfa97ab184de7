"""Trains by hand in PyTorch what a study trained, and prints losses and accuracies as JSON.

Usage: python train_study.py FOLDER

FOLDER holds trials.json, a list of trials, and for each trial a safetensors file: its start weights by name, the samples
and labels of its labelled subset and of the test data, and the indices of each step's batch.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional


def convolutional() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 6, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(6, 8, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32, 4),
    )


def sigmoid() -> nn.Module:
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(64, 16),
        nn.Sigmoid(),
        nn.Linear(16, 12),
        nn.Sigmoid(),
        nn.Linear(12, 4),
    )


def regression() -> nn.Module:
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(64, 16),
        nn.Tanh(),
        nn.Linear(16, 12),
        nn.Tanh(),
        nn.Linear(12, 1),
    )


networks = {"convolutional": convolutional, "sigmoid": sigmoid, "regression": regression}


def train(trial: dict, folder: Path) -> dict:
    tensors = load_file(folder / trial["file"])
    network = networks[trial["network"]]()
    named = {name: tensor for name, tensor in tensors.items() if name.endswith((".weight", ".bias"))}
    # The same order in both: layers from the input to the output, each its weight and then its bias.
    order = sorted(named, key=lambda name: (name.startswith(("classifier", "regressor")), name.split(".")[:-1], name.endswith(".bias")))
    with torch.no_grad():
        for parameter, name in zip(network.parameters(), order, strict=True):
            assert parameter.shape == named[name].shape, name
            parameter.copy_(named[name])
    rate = trial["learningRate"]
    if trial["optimizer"] == "adam":
        optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    else:
        optimizer = torch.optim.SGD(network.parameters(), lr=rate, momentum=0.9)
    numbers = trial["network"] == "regression"
    labels, test_labels = tensors["labels"], tensors["test-labels"]
    mean, deviation = labels.mean(), labels.std(correction=0)
    if not numbers:
        labels, test_labels = labels.long(), test_labels.long()

    def loss_of(outputs: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        if numbers:
            return functional.mse_loss(outputs[:, 0], (wanted - mean) / deviation)
        return functional.cross_entropy(outputs, wanted)

    def test() -> tuple[float, float]:
        with torch.no_grad():
            scores = network(tensors["test-samples"])
            if numbers:
                errors = (scores[:, 0] * deviation + mean - test_labels).double().square().mean()
                return (1 - errors / test_labels.double().var(correction=0)).item(), loss_of(scores, test_labels).item()
            right = (scores.argmax(1) == test_labels).double().mean().item()
            return right, functional.cross_entropy(scores, test_labels).item()

    losses, measured = [], []
    for step, indices in enumerate(tensors["batches"].long()):
        if step in trial["evaluateAt"]:
            measured.append(test())
        optimizer.zero_grad()
        loss = loss_of(network(tensors["samples"][indices]), labels[indices])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    measured.append(test())
    return {
        "losses": losses,
        "accuracies": [accuracy for accuracy, _ in measured],
        "testLosses": [loss for _, loss in measured],
    }


def main() -> None:
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    trials = json.loads((folder / "trials.json").read_text())
    print(json.dumps([train(trial, folder) for trial in trials]))


if __name__ == "__main__":
    main()

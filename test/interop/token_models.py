"""Networks that take tokens: integers by which they look vectors up. See models.py."""

from typing import Callable

import torch
from torch import nn
from torch.nn import functional as F

CLASSES = 5
VOCABULARY = 11


class Phrases(nn.Module):
    """Kim (2014): convolutions over a text's vectors, and the most of each."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, 8)
        self.conv = nn.Conv1d(8, 6, 3, padding=1)
        self.fc = nn.Linear(6, CLASSES)

    def forward(self, x):
        return self.fc(F.relu(self.conv(self.embedding(x).transpose(1, 2))).amax(2))


class Reading(nn.Module):
    """An LSTM, with vectors of positions, and a row for padding, which PyTorch does not train."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, 8, padding_idx=0)
        self.positions = nn.Embedding(6, 8)
        self.lstm = nn.LSTM(8, 5, batch_first=True)
        self.fc = nn.Linear(5, CLASSES)

    def forward(self, x):
        vectors = self.embedding(x) + self.positions(torch.arange(x.shape[1]))
        return self.fc(self.lstm(vectors)[0][:, -1])


class Bag(nn.Module):
    """The mean of those vectors that are no padding, whose mask is computed inside."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, 8, padding_idx=0)
        self.hidden = nn.Linear(8, 6)
        self.fc = nn.Linear(6, CLASSES)

    def forward(self, x):
        mask = (x != 0).float().unsqueeze(-1)
        mean = (self.embedding(x) * mask).sum(1) / mask.sum(1).clamp(min=1)
        return self.fc(F.relu(self.hidden(mean)))


def of_tokens() -> dict[str, Callable[[], nn.Module]]:
    """By name; each takes six tokens, and its head is fc."""
    return {"phrases": Phrases, "reading": Reading, "bag": Bag}

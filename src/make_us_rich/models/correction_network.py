"""The networks that correct HAR-V: what they see, how each is built, and their mean."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor, nn

from make_us_rich.features import har_week, paths

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from make_us_rich.models.corrected_har import CorrectedHar
    from make_us_rich.models.graph import Graph

CHANNELS = tuple(paths.COLUMNS.index(name) for name in ("relative_range", "scaled_return", "volume_surge"))
"""Where the features are that a body sees of each hour."""
STATE = len(har_week.COLUMNS)
"""How many features HAR-V sees, the first ones."""
BOUND = 4.0
"""Standard deviations, or a week's mean ranges, beyond which an input counts no more."""
LIMIT = 0.5
"""Largest correction of each kind, on the log scale."""


class Body(nn.Module, ABC):
    """Reads a path: ``[batch, lookback, channel]`` to ``[batch, hidden]``."""

    @abstractmethod
    def write(self, graph: Graph, path: str) -> str:
        """The same in ONNX; returns the output's name."""


class Member(nn.Module):
    """One network: a body over the path, a layer over what HAR-V sees, and one layer over both.

    The last layer begins with zeros, so that the first forecast is HAR-V's.
    """

    def __init__(self, body: Body, recipe: CorrectedHar, corrections: int) -> None:
        super().__init__()
        self.body = body
        self.state = nn.Linear(STATE, recipe.hidden_size)
        self.dropout = nn.Dropout(recipe.dropout)
        self.last = nn.Linear(2 * recipe.hidden_size, corrections)
        self.silence()

    def silence(self) -> None:
        """Correct nothing."""
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, path: Tensor, state: Tensor) -> Tensor:
        """``[batch, lookback, channel]`` and ``[batch, state]`` to ``[batch, correction]``."""
        hidden = torch.cat([self.body(path), torch.tanh(self.state(state))], dim=1)
        corrections: Tensor = LIMIT * torch.tanh(self.last(self.dropout(hidden)))
        return corrections

    def write(self, graph: Graph, path: str, state: str) -> str:
        """The same in ONNX."""
        beside = graph.add("Tanh", graph.linear(self.state, state))
        hidden = graph.add("Concat", self.body.write(graph, path), beside, axis=1)
        return graph.add("Mul", graph.add("Tanh", graph.linear(self.last, hidden)), np.array([LIMIT], np.float32))


class Members(nn.Module):
    """Several networks; the mean of their corrections."""

    def __init__(self, members: Sequence[Member]) -> None:
        super().__init__()
        self.each = nn.ModuleList(members)

    def __iter__(self) -> Iterator[Member]:
        return (cast("Member", member) for member in self.each)

    def forward(self, path: Tensor, state: Tensor) -> Tensor:
        """``[batch, lookback, channel]`` and ``[batch, state]`` to ``[batch, correction]``."""
        return torch.stack([member(path, state) for member in self]).mean(dim=0)

    def write(self, graph: Graph, path: str, state: str) -> str:
        """The same in ONNX."""
        return graph.add("Mean", *(member.write(graph, path, state) for member in self))


def path_of(features: Tensor) -> Tensor:
    """What the bodies see of unscaled features, bounded; ``[..., feature]`` to ``[..., channel]``."""
    return features[..., list(CHANNELS)].clamp(-BOUND, BOUND)


def state_of(newest: Tensor, mean: Tensor, spread: Tensor) -> Tensor:
    """What HAR-V sees in standard deviations, bounded; ``[batch, state]`` to the same."""
    return ((newest - mean) / spread).clamp(-BOUND, BOUND)

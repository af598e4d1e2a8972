"""From corrections to quantiles that cannot cross."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from make_us_rich.models.graph import array, tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from make_us_rich.models.graph import Graph

BENDS = 3
"""Ways in which a correction of the log volatility runs over the horizons."""


class StretchedQuantiles(nn.Module):
    """A table of standardised quantiles whose steps, from one quantile to the next, are stretched.

    Attributes:
        logs: What each correction adds to the log of each step, ``[correction, horizon x step]``.
        steps: Between the table's quantiles, from the median outwards, ``[horizon, side, step]``.
        sums: Adds the steps up, from the median outwards, each sum with its sign where its level is, and 0 at the
            median; ``[side x step, level]``.
    """

    logs: Tensor
    steps: Tensor
    sums: Tensor

    def __init__(self, table: NDArray[np.floating]) -> None:
        super().__init__()
        horizon, levels = table.shape
        outwards = levels // 2
        sides = np.stack([-table[:, :outwards][:, ::-1], table[:, outwards + 1 :]], axis=1)
        self.register_buffer("logs", tensor(log_stretches(horizon, outwards)))
        self.register_buffer("steps", tensor(np.diff(sides, axis=2, prepend=0.0)))
        self.register_buffer("sums", tensor(signed_sums(outwards)))

    def forward(self, corrections: Tensor) -> Tensor:
        """``[batch, correction]`` to ``[batch, horizon, level]``."""
        stretch = torch.exp(corrections @ self.logs).reshape(-1, len(self.steps), 1, self.steps.shape[2])
        return (self.steps * stretch).flatten(2) @ self.sums

    def write(self, graph: Graph, corrections: str) -> str:
        """The same in ONNX."""
        horizon, sides, outwards = self.steps.shape
        stretch = graph.add("Exp", graph.add("MatMul", corrections, array(self.logs)))
        stretch = graph.add("Reshape", stretch, np.array([-1, horizon, 1, outwards]))
        steps = graph.add("Mul", stretch, array(self.steps)[None])
        flat = graph.add("Reshape", steps, np.array([-1, horizon, sides * outwards]))
        return graph.add("MatMul", flat, array(self.sums))


def log_stretches(horizon: int, outwards: int) -> NDArray[np.float64]:
    """What each correction adds to the log of each step, ``[correction, horizon x step]``.

    The first ``BENDS`` change the volatility, by Legendre's polynomials of the log of the horizon: a constant, a line
    and a parabola, since a number of its own for each horizon would learn its noise. The others change the width of one
    step each, on both sides and at all horizons.
    """
    place = 2 * np.log(np.arange(1, horizon + 1)) / np.log(max(horizon, 2)) - 1
    bends = np.stack([np.ones(horizon), place, (3 * place**2 - 1) / 2])
    volatility = np.repeat(bends[:, :, None], outwards, axis=2)
    widths = np.repeat(np.eye(outwards)[:, None, :], horizon, axis=1)
    return np.concatenate([volatility, widths]).reshape(BENDS + outwards, -1)


def signed_sums(outwards: int) -> NDArray[np.float64]:
    """For two sides of so many steps each, ``[side x step, level]``; every sum has all terms of the one within it."""
    up = np.triu(np.ones((outwards, outwards)))
    lower = np.pad(-up[:, ::-1], ((0, 0), (0, outwards + 1)))
    upper = np.pad(up, ((0, 0), (outwards + 1, 0)))
    return np.concatenate([lower, upper])

"""HAR-V as a torch module, corrected, and the fitted model that holds it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from make_us_rich.domain.onnx_contract import INPUT, OUTPUT
from make_us_rich.features import paths
from make_us_rich.models.closed_form import serialise
from make_us_rich.models.correction_network import BOUND, CHANNELS, STATE, Members, path_of, state_of
from make_us_rich.models.graph import Graph, array, tensor
from make_us_rich.models.stretched_quantiles import StretchedQuantiles

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from make_us_rich.models.har import FittedHar, Line

PREDICT_BATCH = 512


class LineModule(nn.Module):
    """HAR-V's log volatility; the buffers are those of ``Line``."""

    centre: Tensor
    weights: Tensor
    bias: Tensor
    lowest: Tensor
    highest: Tensor

    def __init__(self, line: Line) -> None:
        super().__init__()
        for each in fields(line):
            self.register_buffer(each.name, tensor(getattr(line, each.name)))

    def forward(self, newest: Tensor) -> Tensor:
        """``[batch, state]`` to ``[batch, horizon]``."""
        forecast = (newest - self.centre) @ self.weights + self.bias
        return torch.minimum(torch.maximum(forecast, self.lowest), self.highest)

    def write(self, graph: Graph, newest: str) -> str:
        """The same in ONNX."""
        product = graph.add("MatMul", graph.add("Sub", newest, array(self.centre)), array(self.weights))
        above = graph.add("Max", graph.add("Add", product, array(self.bias)), array(self.lowest))
        return graph.add("Min", above, array(self.highest))


class Forecaster(nn.Module):
    """Unscaled features in, quantiles of log returns out.

    Attributes:
        mean: Of what HAR-V sees, ``[state]``.
        spread: Its standard deviation, ``[state]``.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, members: Members, skip: FittedHar, moments: NDArray[np.float64]) -> None:
        super().__init__()
        self.members = members
        self.line = LineModule(skip.line)
        self.quantiles = StretchedQuantiles(skip.table)
        for name, values in zip(("mean", "spread"), moments, strict=True):
            self.register_buffer(name, tensor(values))

    def forward(self, features: Tensor) -> Tensor:
        """``[batch, lookback, feature]`` to ``[batch, horizon, level]``."""
        newest = features[:, -1, :STATE]
        corrections = self.members(path_of(features), state_of(newest, self.mean, self.spread))
        quantiles: Tensor = torch.exp(self.line(newest)).unsqueeze(2) * self.quantiles(corrections)
        return quantiles

    def write(self, graph: Graph) -> None:
        """The same in ONNX."""
        last = graph.add("Gather", INPUT, np.array(-1), axis=1)
        newest = graph.add("Gather", last, np.arange(STATE), axis=1)
        path = graph.clip(graph.add("Gather", INPUT, np.array(CHANNELS), axis=2), BOUND)
        state = graph.clip(graph.add("Div", graph.add("Sub", newest, array(self.mean)), array(self.spread)), BOUND)
        corrections = self.members.write(graph, path, state)
        sigma = graph.add("Unsqueeze", graph.add("Exp", self.line.write(graph, newest)), np.array([2]))
        graph.add("Mul", sigma, self.quantiles.write(graph, corrections), output=OUTPUT)


@dataclass(frozen=True)
class CorrectedModel:
    """A trained forecaster and its curve; see ``FittedModel``.

    Attributes:
        forecaster: HAR-V and the networks.
        lookback: Hours.
        history: One row an epoch.
    """

    forecaster: Forecaster
    lookback: int
    history: pd.DataFrame

    @torch.inference_mode()
    def quantiles(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """See ``FittedModel``."""
        batches = (torch.tensor(inputs[at : at + PREDICT_BATCH]) for at in range(0, len(inputs), PREDICT_BATCH))
        return np.concatenate([self.forecaster(batch).numpy() for batch in batches])

    def to_onnx(self) -> bytes:
        """The same operations as a graph, written by hand: torch's exporter takes longer than a fit."""
        graph = Graph()
        self.forecaster.write(graph)
        horizon, sides, outwards = self.forecaster.quantiles.steps.shape
        shapes = (self.lookback, len(paths.COLUMNS)), (horizon, sides * outwards + 1)
        return serialise("corrected_har", graph.nodes, graph.constants, shapes)

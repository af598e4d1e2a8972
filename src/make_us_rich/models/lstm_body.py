"""The body of ``lstm``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor, nn

from make_us_rich.models.correction_network import Body
from make_us_rich.models.graph import array

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from make_us_rich.models.graph import Graph


class LstmBody(Body):
    """One LSTM layer; its last hidden state."""

    def __init__(self, channels: int, hidden_size: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(channels, hidden_size, batch_first=True)

    def forward(self, path: Tensor) -> Tensor:
        """``[batch, lookback, channel]`` to ``[batch, hidden]``."""
        _, (hidden, _) = self.lstm(path)
        last: Tensor = hidden[-1]
        return last

    def write(self, graph: Graph, path: str) -> str:
        """See ``Body``."""
        weights, recurrence, bias, recurrent_bias = (_onnx_gates(held) for held in self.lstm.parameters())
        biases = np.concatenate([bias, recurrent_bias])
        steps = graph.add("Transpose", path, perm=[1, 0, 2])
        every = graph.add(
            "LSTM", steps, weights[None], recurrence[None], biases[None], hidden_size=self.lstm.hidden_size
        )
        # [lookback, direction, batch, hidden]
        last = graph.add("Gather", every, np.array(-1), axis=0)
        return graph.add("Squeeze", last, np.array([0]))


def _onnx_gates(weights: Tensor) -> NDArray[np.float32]:
    """Torch stacks input, forget, cell and output gate; ONNX input, output, forget and cell."""
    into, forget, cell, out = np.split(array(weights), 4)
    return np.concatenate([into, out, forget, cell])

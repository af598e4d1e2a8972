"""An ONNX graph as it is written by hand: nodes and constants get their names as they come."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import NodeProto
    from torch import Tensor, nn


@dataclass
class Graph:
    """Nodes in the order in which they are computed.

    Attributes:
        nodes: All so far.
        constants: By name.
    """

    nodes: list[NodeProto] = field(default_factory=list)
    constants: dict[str, NDArray[np.generic]] = field(default_factory=dict)

    def add(self, operator: str, *inputs: str | NDArray[np.generic], output: str = "", **attributes: Any) -> str:
        """Append a node.

        Args:
            operator: ONNX's name.
            inputs: Names of values, and arrays, which become constants.
            output: Its name; one that is free unless given.
            attributes: Of the operator.

        Returns:
            The name of its output.
        """
        from onnx.helper import make_node

        names = [value if isinstance(value, str) else self._hold(value) for value in inputs]
        name = output or f"value_{len(self.nodes)}"
        self.nodes.append(make_node(operator, names, [name], **attributes))
        return name

    def _hold(self, value: NDArray[np.generic]) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants[name] = value
        return name

    def clip(self, values: str, bound: float) -> str:
        """Kept between the bound and its negative."""
        return self.add("Clip", values, np.array(-bound, np.float32), np.array(bound, np.float32))

    def linear(self, layer: nn.Linear, values: str) -> str:
        """Torch's ``Linear`` over the last axis."""
        return self.add("Add", self.add("MatMul", values, array(layer.weight).T), array(layer.bias))

    def norm(self, layer: nn.LayerNorm, values: str) -> str:
        """Torch's ``LayerNorm`` over the last axis."""
        return self.add("LayerNormalization", values, array(layer.weight), array(layer.bias), epsilon=layer.eps)


def array(weights: Tensor) -> NDArray[np.float32]:
    """From torch to numpy, single precision."""
    values: NDArray[np.float32] = weights.detach().cpu().numpy().astype(np.float32)
    return values


def tensor(values: NDArray[np.floating]) -> Tensor:
    """From numpy to torch, single precision."""
    import torch

    return torch.from_numpy(values.astype(np.float32))

"""The body of ``patch_transformer``."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor, nn

from make_us_rich.models.correction_network import Body
from make_us_rich.models.graph import array

if TYPE_CHECKING:
    from collections.abc import Iterator

    from make_us_rich.models.graph import Graph
    from make_us_rich.models.patch_transformer import PatchTransformer


class PatchBody(Body):
    """Patches with a learned position each, layers of attention over them, and what the newest patch has gathered."""

    def __init__(self, channels: int, recipe: PatchTransformer) -> None:
        super().__init__()
        self.patches = recipe.lookback // recipe.patch_hours
        self.embed = nn.Linear(recipe.patch_hours * channels, recipe.hidden_size)
        self.position = nn.Parameter(0.1 * torch.randn(self.patches, recipe.hidden_size))
        self.layers = nn.ModuleList(AttentionLayer(recipe.hidden_size, recipe.heads) for _ in range(recipe.layers))
        self.norm = nn.LayerNorm(recipe.hidden_size)

    def forward(self, path: Tensor) -> Tensor:
        """``[batch, lookback, channel]`` to ``[batch, hidden]``."""
        values = self.embed(path.reshape(len(path), self.patches, -1)) + self.position
        for layer in self._each():
            values = layer(values)
        newest: Tensor = self.norm(values[:, -1])
        return newest

    def write(self, graph: Graph, path: str) -> str:
        """See ``Body``."""
        patches = graph.add("Reshape", path, np.array([-1, self.patches, self.embed.in_features]))
        values = graph.add("Add", graph.linear(self.embed, patches), array(self.position))
        for layer in self._each():
            values = layer.write(graph, values)
        return graph.norm(self.norm, graph.add("Gather", values, np.array(-1), axis=1))

    def _each(self) -> Iterator[AttentionLayer]:
        return (cast("AttentionLayer", layer) for layer in self.layers)


class AttentionLayer(nn.Module):
    """Every patch looks at all (Vaswani et al. 2017, "Attention Is All You Need"), normalised before each half."""

    def __init__(self, hidden_size: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention, self.before_own = nn.LayerNorm(hidden_size), nn.LayerNorm(hidden_size)
        self.query, self.key, self.value = (nn.Linear(hidden_size, hidden_size) for _ in range(3))
        self.joined = nn.Linear(hidden_size, hidden_size)
        self.wide, self.narrow = nn.Linear(hidden_size, 2 * hidden_size), nn.Linear(2 * hidden_size, hidden_size)

    def forward(self, values: Tensor) -> Tensor:
        """``[batch, patch, hidden]`` to the same."""
        seen = self.before_attention(values)
        query, key, value = (self._by_head(layer(seen)) for layer in (self.query, self.key, self.value))
        found = nn.functional.scaled_dot_product_attention(query, key, value)
        values = values + self.joined(found.transpose(1, 2).flatten(2))
        own: Tensor = self.narrow(torch.relu(self.wide(self.before_own(values))))
        return values + own

    def _by_head(self, values: Tensor) -> Tensor:
        """``[batch, patch, hidden]`` to ``[batch, head, patch, hidden / heads]``."""
        batch, patches, hidden = values.shape
        return values.reshape(batch, patches, self.heads, hidden // self.heads).transpose(1, 2)

    def write(self, graph: Graph, values: str) -> str:
        """The same in ONNX."""
        seen = graph.norm(self.before_attention, values)
        query, value = (self._write_by_head(graph, layer, seen, (0, 2, 1, 3)) for layer in (self.query, self.value))
        key = self._write_by_head(graph, self.key, seen, (0, 2, 3, 1))
        width = np.sqrt(np.array(self.key.out_features // self.heads, np.float32))
        shares = graph.add("Softmax", graph.add("Div", graph.add("MatMul", query, key), width), axis=-1)
        found = graph.add("Transpose", graph.add("MatMul", shares, value), perm=[0, 2, 1, 3])
        found = graph.add("Reshape", found, np.array([0, 0, self.key.out_features]))
        values = graph.add("Add", values, graph.linear(self.joined, found))
        own = graph.add("Relu", graph.linear(self.wide, graph.norm(self.before_own, values)))
        return graph.add("Add", values, graph.linear(self.narrow, own))

    def _write_by_head(self, graph: Graph, layer: nn.Linear, seen: str, order: tuple[int, ...]) -> str:
        heads = graph.add("Reshape", graph.linear(layer, seen), np.array([0, 0, self.heads, -1]))
        return graph.add("Transpose", heads, perm=list(order))

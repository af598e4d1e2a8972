"""What architectures without a training loop share: their windows, their quantiles, their history, their graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from make_us_rich.domain.onnx_contract import INPUT, OPSET, OUTPUT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from onnx import NodeProto

    from make_us_rich.features.split import Parts
    from make_us_rich.features.windows import Windows

Shapes = tuple[tuple[int, int | str], tuple[int, int]]
"""(lookback, features) of the input, the features by a name where a graph picks its own; (horizon, levels)."""


def training_windows(parts: Parts) -> Windows:
    """The fit and the validation windows: where nothing is stopped or calibrated, both are learned from."""
    return parts.fit.at(np.concatenate([parts.fit.origins, parts.validation.origins]))


def hold_median(table: NDArray[np.float64], levels: tuple[float, ...]) -> NDArray[np.float64]:
    """Quantiles by horizon with the median at zero and the others on their own side of it; ``[horizon, level]``."""
    sides = np.sign(np.asarray(levels) - 0.5)
    return np.where(sides == 0, 0.0, sides * np.maximum(sides * table, 0.0))


def symmetric_quantiles(values: NDArray[np.floating], levels: tuple[float, ...]) -> NDArray[np.float64]:
    """Quantiles of a distribution that is symmetric about 0, from the absolute values.

    ``|x| <= q`` with probability ``2 level - 1`` for the quantile ``q`` of a level above one half.

    Args:
        values: ``[window, horizon]``.
        levels: ``[level]``.

    Returns:
        ``[horizon, level]``.
    """
    distance = 2 * np.asarray(levels) - 1
    widths = np.quantile(np.abs(values), np.abs(distance), axis=0).T
    quantiles: NDArray[np.float64] = np.sign(distance) * widths
    return quantiles


def loss_history(losses: Sequence[float]) -> pd.DataFrame:
    """One row a step of the fit; nothing was validated."""
    return pd.DataFrame({"step": np.arange(len(losses)), "train_loss": losses, "validation_loss": np.nan})


def serialise(name: str, nodes: list[NodeProto], constants: Mapping[str, NDArray[np.generic]], shapes: Shapes) -> bytes:
    """A graph of the contract, written by hand: no training framework is needed.

    Args:
        name: The architecture's.
        nodes: From ``INPUT`` and the constants to ``OUTPUT``.
        constants: By the name that the nodes have for each.
        shapes: Of the two ends, without the batch.
    """
    from onnx import TensorProto, helper, numpy_helper

    ends = {end: ["batch", *shape] for end, shape in zip((INPUT, OUTPUT), shapes, strict=True)}
    first, last = (helper.make_tensor_value_info(end, TensorProto.FLOAT, shape) for end, shape in ends.items())
    held = [numpy_helper.from_array(np.asarray(value), constant) for constant, value in constants.items()]
    graph = helper.make_graph(nodes, name, [first], [last], held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    return bytes(model.SerializeToString())

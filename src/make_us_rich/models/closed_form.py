"""Quantile tables, losses and ONNX graphs of architectures that are fitted without a training loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from make_us_rich.backtest.calibration import Quantiles, nest
from make_us_rich.domain.forecast import TARGETS
from make_us_rich.inference.session import INPUT, OPSET

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray
    from onnx import ModelProto

Shapes = tuple[tuple[int, int | str], tuple[int, int]]
"""(lookback, features) of the input, the features by a name if a graph selects its own; (horizon, levels)."""


def hold_median(table: NDArray[np.float64], levels: tuple[float, ...]) -> NDArray[np.float64]:
    """Quantiles by horizon with the median at zero and the others on their own side of it; ``[horizon, level]``."""
    sides = np.sign(np.asarray(levels) - 0.5)
    return np.where(sides == 0, 0.0, sides * np.maximum(sides * table, 0.0))


def quantile_tables(
    ratios: Mapping[str, NDArray[np.floating]], levels: tuple[float, ...], symmetry: NDArray[np.floating] | float = 0.0
) -> Quantiles:
    """Quantiles of standardised returns by target, the median of the closes at 0; ``[horizon, level]`` each.

    Args:
        ratios: Returns over their forecast volatility, by target, ``[window, horizon]``.
        levels: Symmetric around 0.5, ``[level]``.
        symmetry: Weight, from 0 to 1, of quantiles that are alike for rising and falling prices; one for all horizons
            or by horizon, ``[horizon, 1]``.
    """
    close, high, low = (row_quantiles(ratios[target].T, levels) for target in TARGETS)
    close = hold_median(close, levels)
    if np.any(symmetry):
        upwards = row_quantiles(np.concatenate([ratios["high"], -ratios["low"]]).T, levels)
        close = (1 - symmetry) * close + symmetry * symmetric_quantiles(ratios["close"], levels)
        high = (1 - symmetry) * high + symmetry * upwards
        low = (1 - symmetry) * low - symmetry * upwards[:, ::-1]
    return nest({"close": close, "high": high, "low": low})


def symmetric_quantiles(values: NDArray[np.floating], levels: tuple[float, ...]) -> NDArray[np.float64]:
    """Quantiles of a distribution that is symmetric about 0, from the absolute values.

    ``|x| <= q`` with probability ``2 level - 1`` for the quantile ``q`` of a level above one half; ``[horizon, level]``
    from ``[window, horizon]``.
    """
    distance = 2 * np.asarray(levels) - 1
    quantiles: NDArray[np.float64] = np.sign(distance) * row_quantiles(np.abs(values).T, np.abs(distance))
    return quantiles


def row_quantiles(values: NDArray[np.floating], levels: ArrayLike) -> NDArray[np.float64]:
    """``np.quantile`` of each row in a quarter of its time, by a whole sort; ``[row, level]`` from ``[row, value]``."""
    places = (values.shape[1] - 1) * np.asarray(levels)
    lower = places.astype(np.intp)
    ranked, share = np.sort(values, axis=1), places - lower
    start, end = ranked[:, lower], ranked[:, np.minimum(lower + 1, values.shape[1] - 1)]
    # From the nearer end, as numpy does: the same to the last digit.
    found: NDArray[np.float64] = np.where(share < 0.5, start + (end - start) * share, end - (end - start) * (1 - share))
    return found


def mean_pinball(
    targets: NDArray[np.floating], sigma: NDArray[np.floating], table: NDArray[np.floating], levels: tuple[float, ...]
) -> list[NDArray[np.floating]]:
    """Mean of ``scores.pinball`` over the windows, in a fifth of the time; ``[horizon]`` for each level.

    Args:
        targets: ``[horizon, window]``.
        sigma: Forecast volatility, ``[horizon, window]``, or ``[window]`` for all horizons.
        table: Quantiles of the standardised returns, ``[horizon, level]``.
        levels: ``[level]``.
    """
    losses = []
    for quantiles, level in zip(table.T, levels, strict=True):
        errors = quantiles[:, None] * sigma
        np.subtract(targets, errors, out=errors)
        losses.append(level * errors.mean(axis=1) - np.minimum(errors, 0, out=errors).mean(axis=1))
    return losses


def build_onnx(name: str, formula: str, constants: Mapping[str, NDArray[np.generic]], shapes: Shapes) -> ModelProto:
    """A graph of the contract from a formula; it needs no training framework.

    Args:
        name: The architecture's.
        formula: Nodes in ONNX's textual syntax, such as ``squares = Mul (returns, returns)``, one a line, from
            ``features`` and the constants to ``close``, ``high`` and ``low``.
        constants: By their names in the formula.
        shapes: Of input and output, without the batch.
    """
    from onnx import numpy_helper, parser

    (lookback, features), (horizon, levels) = shapes
    outputs = ", ".join(f"float[batch, {horizon}, {levels}] {target}" for target in TARGETS)
    model = parser.parse_model(f"""
        <ir_version: 10, opset_import: ["": {OPSET}]>
        {name} (float[batch, {lookback}, {features}] {INPUT}) => ({outputs})
        {{ {formula} }}
    """)
    model.graph.initializer.extend(numpy_helper.from_array(np.asarray(value), key) for key, value in constants.items())
    return model


def scaled_tables(
    sigma: NDArray[np.floating], tables: Mapping[str, NDArray[np.floating]]
) -> dict[str, NDArray[np.float32]]:
    """Volatility times tables, by target, ``[window, horizon, level]`` from ``[window, horizon]`` and the tables."""
    return {target: sigma[:, :, None] * table for target, table in tables.items()}


SCALED_TABLES = "scale = Unsqueeze (sigma, last_axis)\n" + "\n".join(
    f"{target} = Mul (scale, {target}_table)" for target in TARGETS
)
"""The same as a formula."""


def table_constants(tables: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.generic]]:
    """The constants of `SCALED_TABLES`."""
    return {"last_axis": np.array([2]), **{f"{target}_table": table[None] for target, table in tables.items()}}

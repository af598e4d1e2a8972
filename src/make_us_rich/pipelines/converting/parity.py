"""Parity: what the ONNX graph says against what the fitted model says, down to the price."""

import numpy as np
from numpy.typing import NDArray

from make_us_rich.domain.errors import ParityError
from make_us_rich.domain.forecast import QUANTILE_LEVELS
from make_us_rich.features.windows import Windows
from make_us_rich.pipelines.converting.parameters import ConvertingParameters


def compare(
    expected: NDArray[np.float32],
    found: NDArray[np.float32],
    windows: Windows,
    name: str,
    converting: ConvertingParameters,
) -> dict[str, float]:
    """The largest differences, in log return (``output``) and in quote currency (``price``).

    Args:
        expected: The fitted model's quantiles, ``[window, horizon, level]``, log returns.
        found: The graph's.
        windows: Where both were asked.
        name: Pair and architecture, for the error.
        converting: Tolerances on the output.

    Raises:
        ParityError: A value differs by more than ``atol + rtol * |expected|``, or is not finite, or quantiles cross.
    """
    prices = [windows.last_closes()[:, None, None] * np.exp(values.astype(np.float64)) for values in (expected, found)]
    for fault, wrong in _faults(expected, found, converting).items():
        if wrong.any():
            raise ParityError(_describe(fault, np.argwhere(wrong)[0], prices, windows, name))
    output = np.abs(expected.astype(np.float64) - found).max()
    return {"output": float(output), "price": float(np.abs(prices[0] - prices[1]).max())}


def _faults(
    expected: NDArray[np.float32], found: NDArray[np.float32], converting: ConvertingParameters
) -> dict[str, NDArray[np.bool_]]:
    """What can be wrong with the graph to where it is, ``[window, horizon, level]``."""
    finite = np.isfinite(found)
    # Two infinities are close to one another, and neither is a price.
    falls = np.diff(np.where(finite, found, 0), axis=-1, prepend=-np.inf) < 0
    return {
        "gives no finite value": ~finite,
        "disagrees with the fitted one": ~np.isclose(found, expected, converting.rtol, converting.atol),
        "gives a quantile below a lower one": falls,
    }


def _describe(
    fault: str, where: NDArray[np.intp], prices: list[NDArray[np.float64]], windows: Windows, name: str
) -> str:
    window, horizon, level = (int(index) for index in where)
    opened = np.datetime_as_string(windows.timestamps[windows.origins[window]], unit="m")
    fitted, graph = (float(values[window, horizon, level]) for values in prices)
    return (
        f"{name}: the ONNX model {fault} after the candle of {opened} UTC, horizon {horizon + 1},"
        f" level {QUANTILE_LEVELS[level]}: {graph:.8g} against {fitted:.8g} in quote currency;"
        " mend the architecture's fit or its to_onnx, nothing was published"
    )

"""Parity: the ONNX graph and the fitted model give the same quantiles, down to the price."""

import numpy as np
from pydantic import Field

from make_us_rich.backtest.calibration import Quantiles, nest
from make_us_rich.domain.errors import ParityError
from make_us_rich.domain.forecast import LEVELS
from make_us_rich.domain.frozen import FrozenModel
from make_us_rich.features.windows import Windows


class ConvertingParameters(FrozenModel):
    """``params:converting``: the parity check of ONNX graph and fitted model.

    Attributes:
        parity_windows: Number of windows, the newest, on which they are compared; 1 or more, in conf/base 64.
        rtol: Relative tolerance on the output; 0 or more, in conf/base 0.001.
        atol: Absolute tolerance on the output, log return; 0 or more, in conf/base 0.00001.
    """

    parity_windows: int = Field(ge=1)
    rtol: float = Field(ge=0)
    atol: float = Field(ge=0)


def compare(
    expected: Quantiles, found: Quantiles, windows: Windows, name: str, converting: ConvertingParameters
) -> dict[str, float]:
    """The largest differences, in log return (``output``) and in quote currency (``price``).

    Both are quantiles on the same windows; the name is for the error.

    Raises:
        ParityError: A value differs by more than ``atol + rtol * |expected|``, or is not finite, or quantiles cross, or
            a high is below its close or the last one, or a low above.
    """
    largest = {"output": 0.0, "price": 0.0}
    bounds = nest({target: np.where(np.isfinite(values), values, 0) for target, values in found.items()})
    for target, graph in found.items():
        fitted, finite = expected[target], np.isfinite(graph)
        prices = [windows.last_closes()[:, None, None] * np.exp(each.astype(np.float64)) for each in (fitted, graph)]
        faults = {
            "gives no finite value": ~finite,
            "disagrees with the fitted one": ~np.isclose(graph, fitted, converting.rtol, converting.atol),
            # Two infinities are close to one another, and neither is a price.
            "gives a quantile below a lower one": np.diff(np.where(finite, graph, 0), axis=-1, prepend=-np.inf) < 0,
            "gives a range that does not contain the close": finite & (bounds[target] != graph),
        }
        for fault, wrong in faults.items():
            if wrong.any():
                window, horizon, level = map(int, np.argwhere(wrong)[0])
                opened = np.datetime_as_string(windows.timestamps[windows.origins[window]], unit="m")
                wanted, given = (float(values[window, horizon, level]) for values in prices)
                raise ParityError(
                    f"{name}: the ONNX model {fault} after the candle of {opened} UTC, {target}, horizon {horizon + 1},"
                    f" level {LEVELS[level]}: {given:.8g} against {wanted:.8g} in quote currency;"
                    " nothing was published",
                    "correct the architecture's fit or its to_onnx",
                )
        largest["output"] = max(largest["output"], float(np.abs(fitted.astype(np.float64) - graph).max()))
        largest["price"] = max(largest["price"], float(np.abs(prices[0] - prices[1]).max()))
    return largest

"""The ONNX contract of every model (docs/models.md), and a graph that keeps it, ready to run on candles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from make_us_rich.domain.errors import ArtifactError
from make_us_rich.domain.forecast import TARGETS
from make_us_rich.domain.manifest import CONTRACT
from make_us_rich.features.base import FeatureSet
from make_us_rich.features.registry import FEATURE_SETS, compute_features

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from make_us_rich.backtest.calibration import Quantiles
    from make_us_rich.domain.manifest import Manifest, Reads

INPUT = "features"
"""Name of the graph's input: unscaled features, ``[batch, lookback, feature]``."""
FIRST_OUTPUT = "quantiles"
"""Name of the only output, the closes, of a graph of contract 1; later ones name them by target."""
OPSET = 18


class QuantileSession:
    """Runs the graph of one model on one thread: a forecast is small, and pairs run side by side.

    Args:
        onnx_model: Serialised graph.
        name: Whose graph it is, for error messages.
        shapes: Shapes of the contract: (lookback, features) of the input, (horizon, levels) of each output.
        contract: Version of the contract.

    Raises:
        ArtifactError: The bytes are no ONNX graph, or its input or outputs differ from the contract.
    """

    def __init__(
        self,
        onnx_model: bytes,
        name: str,
        shapes: tuple[tuple[int, int], tuple[int, int]],
        contract: int = CONTRACT,
    ) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(onnx_model, options, providers=["CPUExecutionProvider"])
        except Exception as exc:  # onnxruntime's errors have no common base class
            raise ArtifactError(f"{name}: the ONNX model cannot be read", "train the pair again") from exc
        self._shape = shapes[1]
        found = [(end.name, *end.shape[1:]) for end in (*self._session.get_inputs(), *self._session.get_outputs())]
        self._outputs = {"close": FIRST_OUTPUT} if contract == 1 else {target: target for target in TARGETS}
        expected = [(INPUT, *shapes[0]), *((output, *shapes[1]) for output in self._outputs.values())]
        if len(found) != len(expected) or not all(map(_matches, found, expected)):
            raise ArtifactError(
                f"{name}: the ONNX model has the inputs and outputs {found}, the contract asks for {expected}",
                "train the pair again",
            )

    def quantiles(self, inputs: NDArray[np.float32]) -> Quantiles:
        """Quantiles of the log returns that `Windows.targets` gives.

        Args:
            inputs: Unscaled features, ``[window, lookback, feature]``.

        Returns:
            By target ``[window, horizon, level]``.
        """
        if not len(inputs):  # onnxruntime ends the process where an LSTM gets an empty batch.
            return {target: np.empty((0, *self._shape), np.float32) for target in self._outputs}
        feed = {INPUT: np.ascontiguousarray(inputs, dtype=np.float32)}
        found = self._session.run(list(self._outputs.values()), feed)
        return {target: np.asarray(values) for target, values in zip(self._outputs, found, strict=True)}


def _matches(found: tuple[object, ...], expected: tuple[object, ...]) -> bool:
    """Whether name and sizes are equal; a graph that selects its columns leaves the size of that axis open."""
    return len(found) == len(expected) and all(
        have == want or (isinstance(have, str) and isinstance(want, int))
        for have, want in zip(found, expected, strict=True)
    )


def require_features(name: str, reads: Reads) -> FeatureSet:
    """The feature set that a graph reads.

    Raises:
        ArtifactError: This release does not compute it, or with other columns.
    """
    feature_set = FEATURE_SETS.get(reads.feature_set)
    if feature_set is None or feature_set.columns != reads.columns:
        raise ArtifactError(
            f"{name}: this release does not compute its features, {len(reads.columns)} of {reads.feature_set!r}",
            "train the pair again",
        )
    return feature_set


class CandleSession(QuantileSession):
    """A graph together with its feature set: from candles to quantiles of log returns.

    Args:
        onnx_model: Serialised graph.
        name: Whose graph it is, for error messages.
        reads: Its input.
        manifest: Of the version that it belongs to, for its horizons, levels and contract.

    Attributes:
        candles: Closed candles in a row that one forecast needs.

    Raises:
        ArtifactError: The graph differs from the contract, or this release does not compute its features.
    """

    def __init__(self, onnx_model: bytes, name: str, reads: Reads, manifest: Manifest) -> None:
        self.candles = require_features(name, reads).min_history(reads.lookback)
        self._reads = reads
        shapes = (reads.lookback, len(reads.columns)), (manifest.horizon, len(manifest.levels))
        super().__init__(onnx_model, name, shapes, manifest.contract)

    def inputs(self, klines: pd.DataFrame) -> NDArray[np.float32]:
        """The newest input, ``[1, lookback, feature]``; not finite if a candle is bad.

        Args:
            klines: Closed candles, oldest first, at least ``candles`` hours in a row at the end.
        """
        features = compute_features(self._reads.feature_set, klines.tail(self.candles)).tail(self._reads.lookback)
        return features.to_numpy(np.float32)[None]

"""A graph and the features that it reads: from candles to quantiles of log returns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from make_us_rich.domain.errors import ArtifactError
from make_us_rich.features.feature_set import FEATURE_SETS, compute_features, find_feature_set
from make_us_rich.inference.session import QuantileSession

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from make_us_rich.domain.manifest import Reads


class Graph:
    """One graph, ready to run on candles.

    Args:
        onnx_model: Serialised graph.
        name: Whose graph it is, for error messages.
        reads: Its input.
        output: Horizons and levels that the contract asks for.

    Raises:
        ArtifactError: It is no such graph, or its features are not those of this release.
    """

    def __init__(self, onnx_model: bytes, name: str, reads: Reads, output: tuple[int, int]) -> None:
        _require_features(reads, name)
        self._reads = reads
        self._session = QuantileSession(onnx_model, name, ((reads.lookback, len(reads.columns)), output))

    @property
    def candles(self) -> int:
        """Closed candles in a row that one forecast needs."""
        return find_feature_set(self._reads.feature_set).depth(self._reads.lookback)

    def inputs(self, klines: pd.DataFrame) -> NDArray[np.float32]:
        """The newest input, ``[1, lookback, feature]``; not finite where a candle is bad.

        Args:
            klines: Closed candles, oldest first, at least ``candles`` hours in a row at the end.
        """
        features = compute_features(self._reads.feature_set, klines.tail(self.candles)).tail(self._reads.lookback)
        return features[list(self._reads.columns)].to_numpy(np.float32)[None]

    def quantiles(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Quantiles of log(close[t+h] / close[t]).

        Args:
            inputs: Unscaled features, ``[window, lookback, feature]``.

        Returns:
            ``[window, horizon, level]``.
        """
        return self._session.quantiles(inputs)


def _require_features(reads: Reads, name: str) -> None:
    known = FEATURE_SETS.get(reads.feature_set)
    if known is None or known.columns != reads.columns:
        raise ArtifactError(
            f"{name}: made on the features {', '.join(reads.columns)}"
            f" of {reads.feature_set!r}, which this release does not compute; train the pair again"
        )

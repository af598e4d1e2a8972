"""An ONNX graph that keeps the contract, ready to run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from make_us_rich.domain.errors import ArtifactError
from make_us_rich.domain.onnx_contract import INPUT, OUTPUT

if TYPE_CHECKING:
    from numpy.typing import NDArray


class QuantileSession:
    """Runs the graph of one model on one thread: a forecast is small, and pairs run side by side.

    Args:
        onnx_model: Serialised graph.
        name: Whose graph it is, for error messages.
        shapes: What the contract asks for: (lookback, features) of the input, (horizon, levels) of the output.

    Raises:
        ArtifactError: The bytes are no ONNX graph, or its inputs or outputs are not the contract's.
    """

    def __init__(self, onnx_model: bytes, name: str, shapes: tuple[tuple[int, int], tuple[int, int]]) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(onnx_model, options, providers=["CPUExecutionProvider"])
        except Exception as exc:  # onnxruntime has a family of its own for each kind of damage, without a base class
            raise ArtifactError(f"{name}: the ONNX model cannot be read; train the pair again") from exc
        self._check(name, shapes)

    def _check(self, name: str, shapes: tuple[tuple[int, int], tuple[int, int]]) -> None:
        found = [(end.name, *end.shape[1:]) for end in (*self._session.get_inputs(), *self._session.get_outputs())]
        wanted = [(INPUT, *shapes[0]), (OUTPUT, *shapes[1])]
        # The feature axis may be left open by graphs that pick their columns.
        if len(found) != 2 or any(not _fits(have, want) for have, want in zip(found, wanted, strict=True)):
            raise ArtifactError(
                f"{name}: the ONNX model has the ends {found}, the contract asks for {wanted}; train the pair again"
            )

    def quantiles(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Quantiles of log(close[t+h] / close[t]).

        Args:
            inputs: Unscaled features, ``[window, lookback, feature]``.

        Returns:
            ``[window, horizon, level]``.
        """
        (quantiles,) = self._session.run([OUTPUT], {INPUT: np.ascontiguousarray(inputs, dtype=np.float32)})
        return np.asarray(quantiles)


def _fits(have: tuple[object, ...], want: tuple[object, ...]) -> bool:
    return len(have) == len(want) and all(
        h == w or (isinstance(h, str) and isinstance(w, int)) for h, w in zip(have, want, strict=True)
    )

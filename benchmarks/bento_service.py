"""A graph behind BentoML, as its documentation has it; started by the benchmark where BentoML is installed."""

import os

import bentoml
import numpy as np
import onnxruntime

from benchmarks.rivals import GRAPH


@bentoml.service(workers=1)
class Forecast:
    """One graph on one thread, as the API runs it."""

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(os.environ[GRAPH], options, providers=["CPUExecutionProvider"])

    @bentoml.api
    def quantiles(self, features: np.ndarray) -> np.ndarray:
        """Quantiles of log(close[t+h] / close[t])."""
        return self._session.run(["quantiles"], {"features": np.asarray(features, np.float32)})[0]

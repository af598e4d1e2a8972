"""What an architecture is: hyperparameters that can be fitted, and what comes out of the fit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from make_us_rich.domain.checksums import sha256

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from make_us_rich.features.split import Parts

Accelerator = Literal["auto", "cpu", "gpu", "mps"]


class Scaler(Protocol):
    """A fitted min-max scaler: ``scaled = unscaled * scale_ + min_``, each ``[feature]``."""

    scale_: NDArray[np.float64]
    min_: NDArray[np.float64]


def scaler_fingerprint(scaler: Scaler) -> str:
    """SHA-256 of what a scaler does, so that a graph and the scaler folded into it can be matched."""
    return sha256(np.concatenate([scaler.scale_, scaler.min_]).astype("<f8").tobytes())


@dataclass(frozen=True)
class FitSettings:
    """What every fit shares.

    Attributes:
        levels: Quantile levels, ascending.
        seed: Seed of all randomness.
        accelerator: Where networks train; ``auto`` takes a GPU where there is one.
    """

    levels: tuple[float, ...]
    seed: int
    accelerator: Accelerator


class FittedModel(Protocol):
    """A fitted architecture. It can be pickled, predicts in its own framework, and becomes ONNX."""

    @property
    def history(self) -> pd.DataFrame:
        """One row a step of the fit: ``step``, ``train_loss``, ``validation_loss`` (NaN where there is none)."""
        ...

    def quantiles(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Quantiles of log(close[t+h] / close[t]).

        Args:
            inputs: Unscaled features, ``[window, lookback, feature]``.

        Returns:
            ``[window, horizon, level]``, ascending along ``level``.
        """
        ...

    def to_onnx(self) -> bytes:
        """The same function as a serialised ONNX graph that keeps the contract in docs/onnx-contract.md."""
        ...


class Architecture(BaseModel, ABC):
    """Hyperparameters of one architecture, read from ``training.<name>`` in the configuration.

    Attributes:
        feature_set: Name of the feature set that it sees.
        lookback: Candles that it sees, hours.
        trains_network: Its fit needs torch and Lightning, whose imports take longer than many fits.
    """

    trains_network: ClassVar[bool] = False

    model_config = ConfigDict(frozen=True, extra="forbid")

    feature_set: str
    lookback: int = Field(ge=1)

    @abstractmethod
    def fit(self, parts: Parts, scaler: Scaler, settings: FitSettings) -> FittedModel:
        """Fit on ``parts.fit``, watch ``parts.validation``, never look at ``parts.test``.

        Args:
            parts: Windows of unscaled features.
            scaler: Fitted on the rows that the windows of ``parts.fit`` see, and on no others.
            settings: Levels, seed, accelerator.
        """

    def refit(self, previous: FittedModel, parts: Parts, scaler: Scaler, settings: FitSettings) -> FittedModel:  # noqa: ARG002
        """Fit on newer windows; networks begin with the weights of ``previous``, all others anew.

        Args:
            previous: A fit of the same recipe on windows that end no later than these.
            parts: See ``fit``.
            scaler: See ``fit``.
            settings: See ``fit``.
        """
        return self.fit(parts, scaler, settings)

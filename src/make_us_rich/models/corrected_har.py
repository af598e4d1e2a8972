"""What the networks share: HAR-V, and members that each learn to correct it."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal, cast

from pydantic import Field

from make_us_rich.domain.forecast import HORIZON
from make_us_rich.models.har import RangeArchitecture
from make_us_rich.models.interface import FitSettings, FittedModel, Scaler

if TYPE_CHECKING:
    from make_us_rich.features.split import Parts
    from make_us_rich.models.corrected_forecaster import CorrectedModel
    from make_us_rich.models.correction_network import Body


class CorrectedHar(RangeArchitecture):
    """HAR-V, corrected by the mean of several small networks; see docs/networks.md.

    Attributes:
        members: Networks whose corrections are averaged; each is stopped on windows that it alone holds out.
        stretch_hours: Hours in a row that the same member holds out, then the next one's turn comes.
        hidden_size: Width of the body, and of the layer beside it that sees what HAR-V sees.
        dropout: Before the last layer.
        batch_size: Windows a training step.
        learning_rate: Of AdamW.
        weight_decay: Of AdamW.
        max_epochs: At most this many passes over the training windows.
        refit_epochs: At most this many where the fit begins with the weights of the one before.
        patience: Epochs without a better validation loss before the fit stops; the best weights are kept.
    """

    trains_network: ClassVar[bool] = True

    feature_set: Literal["paths"] = "paths"
    members: int = Field(ge=2)
    stretch_hours: int = Field(ge=HORIZON)
    hidden_size: int = Field(ge=1)
    dropout: float = Field(ge=0, lt=1)
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(ge=0)
    max_epochs: int = Field(ge=1)
    refit_epochs: int = Field(ge=1)
    patience: int = Field(ge=1)

    @abstractmethod
    def body(self, channels: int) -> Body:
        """The part that reads the path: ``[batch, lookback, channel]`` to ``[batch, hidden_size]``."""

    def fit(self, parts: Parts, scaler: Scaler, settings: FitSettings) -> FittedModel:  # noqa: ARG002
        """Train with Lightning, which is imported here and nowhere earlier: it takes eight seconds."""
        from make_us_rich.models.correction_fit import fit_corrections

        return fit_corrections(self, parts, settings)

    def refit(self, previous: FittedModel, parts: Parts, scaler: Scaler, settings: FitSettings) -> FittedModel:  # noqa: ARG002
        """Fit HAR-V anew, and the networks from where they were; see ``Architecture.refit``."""
        from make_us_rich.models.correction_fit import fit_corrections

        return fit_corrections(self, parts, settings, cast("CorrectedModel", previous))

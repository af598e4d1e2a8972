"""HAR-V with its week: HAR-V that also sees what the same hours did before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from make_us_rich.models.closed_form import training_windows
from make_us_rich.models.har import FittedHar, RangeArchitecture

if TYPE_CHECKING:
    from make_us_rich.features.split import Parts
    from make_us_rich.models.interface import FitSettings, Scaler


class HarWeek(RangeArchitecture):
    """HAR-V that also sees what the same hours did a day, a week and two weeks before."""

    feature_set: Literal["har_week"] = "har_week"

    def fit(self, parts: Parts, scaler: Scaler, settings: FitSettings) -> FittedHar:  # noqa: ARG002
        """Fit on the training windows; see ``RangeArchitecture.fit_har``."""
        return self.fit_har(training_windows(parts), settings.levels)

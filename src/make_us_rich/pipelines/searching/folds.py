"""The hours on which recipes are tried: all of them before those that the gate judges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from make_us_rich.domain.klines import HOUR_MS
from make_us_rich.evaluation.contest import joint_loss
from make_us_rich.evaluation.folds import WalkForward, fold_parts, walk_forward
from make_us_rich.models.walking import forecast_folds

if TYPE_CHECKING:
    from make_us_rich.features.split import Origins
    from make_us_rich.features.windows import Rows, Windows
    from make_us_rich.models.interface import Architecture, FitSettings
    from make_us_rich.pipelines.searching.parameters import SearchingParameters


@dataclass(frozen=True)
class TrialFolds:
    """Folds for every recipe of a search.

    Attributes:
        windows: By architecture, at origins at which all of them can forecast.
        folds: Oldest first.
        settings: Of the fits.
    """

    windows: Mapping[str, Windows]
    folds: tuple[Origins, ...]
    settings: FitSettings

    def losses(self, name: str, recipe: Architecture) -> Iterator[float]:
        """Mean joint loss of each fold, uncalibrated, one by one as they are fitted; log return.

        Args:
            name: Of the architecture.
            recipe: Sees no more rows than the architecture's windows.
        """
        parts = fold_parts(replace(self.windows[name], lookback=recipe.lookback), self.folds)
        for part, forecast in zip(parts, forecast_folds(recipe, parts, self.settings), strict=True):
            yield float(joint_loss(part.test.targets(), forecast, self.settings.levels).mean())


def plan_trials(windows: Windows, judged: WalkForward, searching: SearchingParameters) -> tuple[Origins, ...]:
    """Folds right before the hours that the gate judges; each is fitted on as much as one of the gate's.

    Args:
        windows: At the origins at which all recipes can forecast.
        judged: How the gate's hours are cut from the newest.
        searching: Number and size of the folds.

    Raises:
        DataError: There are too few hours for them.
    """
    plan = judged.model_copy(update={"folds": searching.folds, "hours": searching.hours})
    return walk_forward(_before(windows, judged), windows.timestamps, plan)


def _before(windows: Windows, judged: WalkForward) -> Rows:
    """Origins whose every outcome opens no later than the first that is judged."""
    opens = windows.timestamps[windows.origins]
    first = opens[-judged.folds * judged.hours :][:1]
    return windows.origins[opens + judged.horizon * np.timedelta64(HOUR_MS, "ms") <= first]

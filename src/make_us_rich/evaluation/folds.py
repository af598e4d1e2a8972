"""Walk-forward folds: what each fit may know, and the hours on which it is judged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from make_us_rich.domain.errors import DataError
from make_us_rich.domain.forecast import HORIZON
from make_us_rich.domain.klines import HOUR_MS
from make_us_rich.features.split import Origins, Parts, Split, split_origins

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from make_us_rich.features.windows import Rows, Windows


class WalkForward(BaseModel):
    """How the past is re-lived.

    Attributes:
        folds: How many times the model is fitted and judged.
        hours: Forecast origins on which each fold is judged, one an hour.
        lead_in_hours: Forecast origins right before the folds, whose forecasts only calibrate.
        horizon: Hours ahead, which is also the embargo between two parts.
        train_hours: A fit sees the origins of at most this many hours before its fold; None: all of them.
        least_windows: A fit with fewer training windows is refused.
        validation_fraction: Share of the training windows, the last ones, that validate.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    folds: int = Field(default=8, ge=1)
    hours: int = Field(default=504, ge=1)
    lead_in_hours: int = Field(default=1_440, ge=1)
    horizon: int = Field(default=HORIZON, ge=1)
    train_hours: int | None = Field(default=8_760, ge=1)
    least_windows: int = Field(default=1_800, ge=1)
    validation_fraction: float = Field(default=0.2, gt=0, lt=1)


def walk_forward(
    origins: Rows, timestamps: NDArray[np.datetime64], plan: WalkForward | None = None
) -> tuple[Origins, ...]:
    """Cut forecast origins into folds, oldest first.

    The test parts are the newest ``folds * hours`` origins in order, none left out and none twice. They are
    counted in origins rather than in time, so that a gap makes no fold shorter. What a fold is fitted on is
    cut by `split_origins` with the fold's first test origin as the border: no training target opens after that origin,
    so none is among the fold's targets, and nothing of the fold itself or after it is seen.

    Args:
        origins: Rows, ascending, ``[window]``; to compare models, those that all of them can forecast.
        timestamps: Open times, UTC, ``datetime64[ms]`` without a zone, ascending, ``[row]``.
        plan: Number and size of the folds; None: 8 of 504 hours, each fitted on the year before it.

    Raises:
        DataError: There are too few hours for the folds and for a fit before each of them.
    """
    chosen = plan or WalkForward()
    firsts = len(origins) - chosen.hours * np.arange(chosen.folds, 0, -1)
    _check_enough(len(origins), chosen)
    return tuple(_fold(origins[: first + chosen.hours], timestamps, int(first), chosen) for first in firsts)


def fold_parts(windows: Windows, folds: tuple[Origins, ...]) -> tuple[Parts, ...]:
    """The windows of each fold, ready for an architecture's fit; the arrays are shared."""
    return tuple(Parts(windows.at(fold.fit), windows.at(fold.validation), windows.at(fold.test)) for fold in folds)


def lead_in(origins: Rows, timestamps: NDArray[np.datetime64], plan: WalkForward | None = None) -> Origins:
    """One fold more, right before the others: its forecasts are the past on which the first folds are calibrated.

    Args:
        origins: As for `walk_forward`.
        timestamps: As for `walk_forward`.
        plan: That of the folds.

    Raises:
        DataError: There are too few hours for it.
    """
    chosen = plan or WalkForward()
    before = origins[: max(len(origins) - chosen.folds * chosen.hours, 0)]
    (fold,) = walk_forward(before, timestamps, chosen.model_copy(update={"folds": 1, "hours": chosen.lead_in_hours}))
    return fold


def _fold(origins: Rows, timestamps: NDArray[np.datetime64], first: int, plan: WalkForward) -> Origins:
    """The fold whose test part are the origins from position ``first`` to the end."""
    border = timestamps[origins[first]]
    oldest = 0
    if plan.train_hours is not None:
        oldest = int(np.searchsorted(timestamps[origins], border - plan.train_hours * _HOUR))
    fold = split_origins(timestamps, origins[oldest:], _split(border, len(timestamps), plan))
    if len(fold.fit) < plan.least_windows:
        raise DataError(
            f"the fold from {border.astype('datetime64[m]')} UTC has {len(fold.fit)} windows to fit on and"
            f" {plan.least_windows} are needed; raise history_days, or lower folds or least_windows"
        )
    return fold


def _split(border: np.datetime64, rows: int, plan: WalkForward) -> Split:
    return Split.model_validate(
        {
            "rows": rows,
            "test_start": f"{(border + _HOUR).astype('datetime64[ms]')}Z",
            "validation_fraction": plan.validation_fraction,
            "horizon": plan.horizon,
        }
    )


def _check_enough(windows: int, plan: WalkForward) -> None:
    needed = plan.folds * plan.hours
    if windows <= needed:
        raise DataError(
            f"{plan.folds} folds of {plan.hours} hours need more than {needed} forecast origins and there are"
            f" {windows}; raise history_days, or lower folds or hours"
        )


_HOUR = np.timedelta64(HOUR_MS, "ms")

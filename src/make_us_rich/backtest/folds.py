"""Walk-forward folds: what each fit may know, and the hours on which it is tested."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from pydantic import Field

from make_us_rich.domain.errors import DataError
from make_us_rich.domain.forecast import HORIZON
from make_us_rich.domain.frozen import FrozenModel
from make_us_rich.features.base import HOUR
from make_us_rich.features.split import Origins, Parts, Split, split_origins

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from make_us_rich.features.windows import Rows, Windows


class BacktestParameters(FrozenModel):
    """``params:backtest``: the folds of the walk-forward backtest.

    Attributes:
        n_folds: Number of test folds; 1 or more, default 8.
        test_size: Forecast origins of each test fold, one an hour; 1 or more, default 504, three weeks.
        calibration_size: Forecast origins right before the test folds whose forecasts only calibrate; 1 or more,
            default 1440.
        train_size: Hours before a fold that its fit may see; 1 or more, default 8760. None for all of them.
        min_train_size: Training windows that a fit needs; 1 or more, default 1800.
        validation_fraction: Share of the training windows, the newest, that only validate; between 0 and 1,
            default 0.2.

    The fit that is published sees as many hours as that of a fold, up to the newest candle.
    """

    n_folds: int = Field(default=8, ge=1)
    test_size: int = Field(default=504, ge=1)
    calibration_size: int = Field(default=1_440, ge=1)
    train_size: int | None = Field(default=8_760, ge=1)
    min_train_size: int = Field(default=1_800, ge=1)
    validation_fraction: float = Field(default=0.2, gt=0, lt=1)


def make_folds(origins: Rows, timestamps: NDArray[np.datetime64], plan: BacktestParameters) -> tuple[Origins, ...]:
    """Cut forecast origins into folds, oldest first.

    The test parts are the newest ``n_folds * test_size`` origins in order, counted in origins rather than in time, so
    that a gap makes no fold shorter. `split_origins` cuts what a fold is fitted on, with the fold's first test origin
    as the border: no training target opens after that origin.

    Args:
        origins: Rows, ascending, ``[window]``; to compare models, those at which all of them can forecast.
        timestamps: Open times, UTC, ``datetime64[ms]`` without a zone, ascending, ``[row]``.
        plan: Number and size of the folds.

    Raises:
        DataError: There are too few hours for the folds, or for a fit before one of them.
    """
    needed = plan.n_folds * plan.test_size
    if len(origins) <= needed:
        raise DataError(
            f"{plan.n_folds} folds of {plan.test_size} hours need more than {needed} forecast origins and there are"
            f" {len(origins)}",
            "raise history_days, or lower n_folds or test_size",
        )
    folds = []
    for first in range(len(origins) - needed, len(origins), plan.test_size):
        border = timestamps[origins[first]]
        split = Split(
            rows=len(timestamps),
            test_start=(border + HOUR).item().replace(tzinfo=UTC),
            validation_fraction=plan.validation_fraction,
            horizon=HORIZON,
            train_size=plan.train_size,
        )
        fold = split_origins(timestamps, origins[: first + plan.test_size], split)
        if len(fold.train) < plan.min_train_size:
            raise DataError(
                f"the fold from {border.astype('datetime64[m]')} UTC has {len(fold.train)} windows to fit on and"
                f" {plan.min_train_size} are needed",
                "raise history_days, or lower n_folds or min_train_size",
            )
        folds.append(fold)
    return tuple(folds)


def calibration_fold(origins: Rows, timestamps: NDArray[np.datetime64], plan: BacktestParameters) -> Origins:
    """Cut one more fold, right before the others, whose forecasts calibrate the first test folds; see `make_folds`."""
    before = origins[: max(len(origins) - plan.n_folds * plan.test_size, 0)]
    alone = plan.model_copy(update={"n_folds": 1, "test_size": plan.calibration_size})
    return make_folds(before, timestamps, alone)[0]


def fold_parts(windows: Windows, folds: tuple[Origins, ...]) -> tuple[Parts, ...]:
    """The windows of each fold, ready for an architecture's fit; the arrays are shared."""
    return tuple(Parts(windows.at(fold.train), windows.at(fold.validation), windows.at(fold.test)) for fold in folds)

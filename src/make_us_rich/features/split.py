"""The chronological split: training, validation and test windows, an embargo of the horizon between them."""

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from make_us_rich.domain.errors import DataError
from make_us_rich.domain.forecast import HORIZON
from make_us_rich.features.base import HOUR, naive_utc
from make_us_rich.features.windows import Rows, Windows


class Split(BaseModel):
    """Where the rows are cut; the same for every architecture.

    Attributes:
        rows: Number of candles that were split.
        test_start: Open time of the first test candle, UTC; one hour after the last candle where nothing is tested.
        validation_fraction: Share of the windows before the test, the last ones, that validate.
        horizon: Hours ahead, which is also the embargo between two parts.
        train_size: Hours before the test that training and validation windows may see; None for all of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int = Field(ge=1)
    test_start: AwareDatetime
    validation_fraction: float = Field(gt=0, lt=1)
    horizon: int = Field(ge=1)
    train_size: int | None = Field(default=None, ge=1)


@dataclass(frozen=True)
class Origins:
    """Forecast origins of each part, ascending, ``[window]``; those in the embargo are in none.

    Attributes:
        train: Weights are fitted on them.
        validation: They stop and calibrate the fit.
        test: The result is evaluated on them.
    """

    train: Rows
    validation: Rows
    test: Rows


@dataclass(frozen=True)
class Parts:
    """Windows of each part, over the same arrays; see `Origins`."""

    train: Windows
    validation: Windows
    test: Windows

    def train_validation(self) -> Windows:
        """Training and validation windows: the data of a fit that needs no validation."""
        return self.train.at(np.concatenate([self.train.origins, self.validation.origins]))


def split_rows(timestamps: pd.DatetimeIndex, validation_fraction: float, train_size: int | None = None) -> Split:
    """Leave no test part: a fit that is published sees every candle, whose open times (UTC) ascend, ``[row]``."""
    return Split(
        rows=len(timestamps),
        test_start=(timestamps[-1] + pd.Timedelta(hours=1)).to_pydatetime(),
        validation_fraction=validation_fraction,
        horizon=HORIZON,
        train_size=train_size,
    )


def split_windows(windows: Windows, split: Split) -> Parts:
    """Windows of each part over the same arrays; see `split_origins`.

    Raises:
        DataError: The split was made for other rows, or its embargo is shorter than the windows' horizon.
    """
    if windows.horizon > split.horizon:
        raise DataError(
            f"the windows look {windows.horizon} hours ahead and the split's embargo is {split.horizon} hours",
            "run the preprocessing pipeline again",
        )
    parts = split_origins(windows.timestamps, windows.origins, split)
    return Parts(windows.at(parts.train), windows.at(parts.validation), windows.at(parts.test))


def split_origins(timestamps: NDArray[np.datetime64], origins: Rows, split: Split) -> Origins:
    """Sort forecast origins into parts that share no target.

    - Test: the first target opens at or after ``test_start``.
    - Training and validation: every target opens before ``test_start``. The origins in between belong to no part.
    - Validation: the last ``validation_fraction`` of these windows, rounded to a whole window.
    - Training: the others whose targets all open no later than the first validation origin.

    Origins of consecutive parts are at least the horizon apart. A validation or test window may see candles that
    were targets of the part before it: they are its past.

    Args:
        timestamps: Open times, UTC, ``datetime64[ms]``, ``[row]``.
        origins: Rows, ascending, ``[window]``.
        split: Where to cut.

    Raises:
        DataError: The split was made for other rows.
    """
    if len(timestamps) != split.rows:
        raise DataError(
            f"the split was made for {split.rows} candles and there are {len(timestamps)}",
            "run the preprocessing pipeline again",
        )
    opens, test_start = timestamps[origins], naive_utc(pd.Index([split.test_start]))[0]
    before = origins[opens + split.horizon * HOUR < test_start]
    if split.train_size is not None:
        before = before[timestamps[before] + HOUR >= test_start - split.train_size * HOUR]
    test = origins[opens + HOUR >= test_start]
    cut = len(before) - round(len(before) * split.validation_fraction)
    train, validation = before[:cut], before[cut:]
    if len(validation):
        train = train[timestamps[train] + split.horizon * HOUR <= timestamps[validation[0]]]
    return Origins(train, validation, test)


def min_rows(min_history: int, validation_fraction: float) -> int:
    """Smallest number of candles, without a gap, that gives training and validation a window.

    One input needs ``min_history`` rows, its lookback and the warm-up of its features.
    """

    def suffice(rows: int) -> bool:
        windows = rows - HORIZON - (min_history - 1)
        validation = round(windows * validation_fraction)
        return validation > 0 and windows - validation >= HORIZON

    # More candles than any market has.
    return bisect_left(range(1_000_000), True, key=suffice)

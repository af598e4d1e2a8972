"""The chronological split: fit, validation and test windows, an embargo of the horizon between them."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from make_us_rich.domain.errors import DataError
from make_us_rich.domain.klines import HOUR_MS
from make_us_rich.features.hours import naive_utc
from make_us_rich.features.windows import Rows, Windows


class Split(BaseModel):
    """Where the rows are cut; the same for every architecture.

    Attributes:
        rows: Candles that were split; the training rows and the test rows add up to them.
        test_start: Open time of the first test candle, UTC.
        validation_fraction: Share of the training windows, the last ones, that validate.
        horizon: Hours ahead, which is also the embargo between two parts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int = Field(ge=1)
    test_start: AwareDatetime
    validation_fraction: float = Field(gt=0, lt=1)
    horizon: int = Field(ge=1)


@dataclass(frozen=True)
class Origins:
    """Forecast origins of each part, ascending, ``[window]``; those that the embargo takes are in none.

    Attributes:
        fit: What weights are fitted on.
        validation: What stops and calibrates the fit.
        test: What the result is judged on.
    """

    fit: Rows
    validation: Rows
    test: Rows


@dataclass(frozen=True)
class Parts:
    """Windows of each part, over the same arrays; see `Origins`."""

    fit: Windows
    validation: Windows
    test: Windows


def split_rows(timestamps: pd.DatetimeIndex, test_fraction: float, validation_fraction: float, horizon: int) -> Split:
    """Cut the rows in two, the last ones for the test; not one is lost.

    Args:
        timestamps: Open times, UTC, ascending, ``[row]``.
        test_fraction: Share of the rows, between 0 and 1, rounded to a whole row.
        validation_fraction: Share of the training windows, between 0 and 1.
        horizon: Hours ahead, 1 or more.

    Raises:
        DataError: The test part is shorter than the horizon, so that no test window fits in.
    """
    rows = len(timestamps)
    test_rows = count_test_rows(rows, test_fraction)
    if not horizon <= test_rows < rows:
        raise DataError(
            f"{rows} candles leave {test_rows} for the test part and {horizon} are needed for one forecast;"
            " raise history_days or test_fraction"
        )
    start: datetime = timestamps[rows - test_rows].to_pydatetime()
    return Split(rows=rows, test_start=start, validation_fraction=validation_fraction, horizon=horizon)


def split_windows(windows: Windows, split: Split) -> Parts:
    """Windows of each part over the same arrays; see `split_origins`.

    Raises:
        DataError: The split was made for other rows, or its embargo is shorter than the windows' horizon.
    """
    if windows.horizon > split.horizon:
        raise DataError(
            f"the windows look {windows.horizon} hours ahead and the split keeps {split.horizon} apart;"
            " run the preprocessing pipeline again"
        )
    parts = split_origins(windows.timestamps, windows.origins, split)
    return Parts(windows.at(parts.fit), windows.at(parts.validation), windows.at(parts.test))


def split_origins(timestamps: NDArray[np.datetime64], origins: Rows, split: Split) -> Origins:
    """Sort forecast origins into parts, so that no target is shared between two.

    - Test: the first target opens at or after ``test_start``.
    - Training: every target opens before ``test_start``. The origins in between belong to neither.
    - Validation: the last ``validation_fraction`` of the training windows, rounded to a whole window.
    - Fit: the other training windows whose targets all open no later than the first validation origin.

    So origins of consecutive parts are at least the horizon apart. A validation or test window may see
    candles that were targets of the part before it: they are its past.

    Args:
        timestamps: Open times, UTC, ``datetime64[ms]``, ``[row]``.
        origins: Rows, ascending, ``[window]``.
        split: Where to cut.

    Raises:
        DataError: The split was made for other rows.
    """
    if len(timestamps) != split.rows:
        raise DataError(
            f"the split was made for {split.rows} candles and there are {len(timestamps)};"
            " run the preprocessing pipeline again"
        )
    opens = timestamps[origins]
    train = origins[opens + split.horizon * _HOUR < _test_start(split)]
    test = origins[opens + _HOUR >= _test_start(split)]
    cut = len(train) - count_validation(len(train), split.validation_fraction)
    fit, validation = train[:cut], train[cut:]
    if len(validation):
        fit = fit[timestamps[fit] + split.horizon * _HOUR <= timestamps[validation[0]]]
    return Origins(fit, validation, test)


def count_test_rows(rows: int, test_fraction: float) -> int:
    """Rows of the test part."""
    return round(rows * test_fraction)


def count_validation(training_windows: int, validation_fraction: float) -> int:
    """Windows of the validation part."""
    return round(training_windows * validation_fraction)


_HOUR = np.timedelta64(HOUR_MS, "ms")


def _test_start(split: Split) -> np.datetime64:
    start: np.datetime64 = naive_utc(pd.DatetimeIndex([split.test_start]))[0]
    return start

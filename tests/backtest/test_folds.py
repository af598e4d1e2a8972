import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from make_us_rich.backtest.folds import BacktestParameters, calibration_fold, make_folds
from make_us_rich.domain.errors import DataError
from make_us_rich.domain.forecast import HORIZON

HOUR = np.timedelta64(1, "h")
SMALL = BacktestParameters(n_folds=3, test_size=10, train_size=100, min_train_size=5)


def hours(rows: int, gap_at: int | None = None, gap: int = 7) -> np.ndarray:
    steps = np.ones(rows, np.int64)
    steps[0] = 0
    if gap_at is not None:
        steps[gap_at] = gap
    return (np.datetime64("2024-01-01", "ms") + np.cumsum(steps) * HOUR).astype("datetime64[ms]")


def test_by_default_eight_folds_of_three_weeks_are_fitted_on_the_year_before_them() -> None:
    origins = np.arange(14_000)

    folds = make_folds(origins, hours(14_024), BacktestParameters())

    assert [len(fold.test) for fold in folds] == [504] * 8
    for fold in folds:
        assert fold.train[0] == fold.test[0] - 8_760
        assert fold.validation[-1] == fold.test[0] - 24
    unlimited = make_folds(origins, hours(14_024), BacktestParameters(train_size=None))
    assert all(fold.train[0] == 0 for fold in unlimited)


@given(gap_at=st.integers(1, 299), gap=st.integers(2, 40), folds=st.integers(1, 4))
def test_no_target_of_a_fit_is_a_target_of_its_fold_even_across_a_gap(gap_at: int, gap: int, folds: int) -> None:
    times = hours(300, gap_at, gap)
    rows = np.arange(300 - HORIZON)
    origins = rows[(rows + HORIZON < gap_at) | (rows >= gap_at)]
    plan = BacktestParameters(n_folds=folds, test_size=20, train_size=150, min_train_size=1)

    for fold in make_folds(origins, times, plan):
        first_target = times[fold.test[0] + 1]
        train = np.concatenate([fold.train, fold.validation])
        assert (times[train + HORIZON] < first_target).all()
        assert (times[fold.train + HORIZON] <= times[fold.validation[0]]).all()
        assert (times[train] >= times[fold.test[0]] - 150 * HOUR).all()


def test_what_comes_after_a_fold_does_not_change_it() -> None:
    longer = make_folds(np.arange(20, 196), hours(200), SMALL)
    shorter = make_folds(np.arange(20, 186), hours(190), SMALL.model_copy(update={"n_folds": 2}))

    for fold, same in zip(longer, shorter, strict=False):
        np.testing.assert_array_equal(fold.train, same.train)
        np.testing.assert_array_equal(fold.validation, same.validation)
        np.testing.assert_array_equal(fold.test, same.test)


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        (30, "3 folds of 10 hours need more than 30 forecast origins and there are 30; raise history_days"),
        (42, r"the fold from 2024-01-01T12:00 UTC has \d windows to fit on and 5 are needed; raise history_days"),
    ],
)
def test_too_few_hours_for_the_folds_or_a_fit_are_refused_with_the_remedy(rows: int, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        make_folds(np.arange(rows), hours(rows + HORIZON), SMALL)


def test_the_calibration_fold_are_the_hours_right_before_the_first_test_fold() -> None:
    origins, plan = np.arange(20, 196), SMALL.model_copy(update={"calibration_size": 25})

    fold = calibration_fold(origins, hours(200), plan)

    np.testing.assert_array_equal(fold.test, origins[-55:-30])
    assert fold.validation[-1] == fold.test[0] - HORIZON
    with pytest.raises(DataError, match=r"1 folds of 25 hours need more than 25 forecast origins and there are 10"):
        calibration_fold(np.arange(40), hours(50), plan)

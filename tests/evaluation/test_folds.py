import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from make_us_rich.domain.errors import DataError
from make_us_rich.evaluation.folds import WalkForward, fold_parts, lead_in, walk_forward
from make_us_rich.features.windows import Windows

HOUR = np.timedelta64(1, "h")
SMALL = WalkForward(folds=3, hours=10, horizon=4, train_hours=60, least_windows=5)


def hours(rows: int, gap_at: int | None = None, gap: int = 7) -> np.ndarray:
    steps = np.ones(rows, np.int64)
    steps[0] = 0
    if gap_at is not None:
        steps[gap_at] = gap
    return (np.datetime64("2024-01-01", "ms") + np.cumsum(steps) * HOUR).astype("datetime64[ms]")


def test_test_parts_are_the_newest_origins_in_order_and_each_once() -> None:
    origins = np.arange(20, 196)

    folds = walk_forward(origins, hours(200), SMALL)

    assert [len(fold.test) for fold in folds] == [10, 10, 10]
    np.testing.assert_array_equal(np.concatenate([fold.test for fold in folds]), origins[-30:])


def test_by_default_eight_folds_of_three_weeks_are_fitted_on_the_year_before_them() -> None:
    origins = np.arange(14_000)

    folds = walk_forward(origins, hours(14_024))

    assert [len(fold.test) for fold in folds] == [504] * 8
    for fold in folds:
        assert fold.fit[0] == fold.test[0] - 8_760
        assert fold.validation[-1] == fold.test[0] - 24


def test_without_a_limit_a_fit_sees_everything_before_its_fold() -> None:
    origins = np.arange(20, 196)

    folds = walk_forward(origins, hours(200), SMALL.model_copy(update={"train_hours": None}))

    assert all(fold.fit[0] == 20 for fold in folds)


@given(gap_at=st.integers(1, 299), gap=st.integers(2, 40), folds=st.integers(1, 4), horizon=st.integers(1, 8))
def test_no_target_of_a_fit_is_a_target_of_its_fold_even_across_a_gap(
    gap_at: int, gap: int, folds: int, horizon: int
) -> None:
    times = hours(300, gap_at, gap)
    rows = np.arange(300 - horizon)
    origins = rows[(rows + horizon < gap_at) | (rows >= gap_at)]
    plan = WalkForward(folds=folds, hours=20, horizon=horizon, train_hours=150, least_windows=1)

    for fold in walk_forward(origins, times, plan):
        first_target = times[fold.test[0] + 1]
        train = np.concatenate([fold.fit, fold.validation])
        assert (times[train + horizon] < first_target).all()
        assert (times[fold.fit + horizon] <= times[fold.validation[0]]).all()
        assert (times[train] >= times[fold.test[0]] - 150 * HOUR).all()


def test_what_comes_after_a_fold_does_not_change_it() -> None:
    longer = walk_forward(np.arange(20, 196), hours(200), SMALL)
    shorter = walk_forward(np.arange(20, 186), hours(190), SMALL.model_copy(update={"folds": 2}))

    for fold, same in zip(longer, shorter, strict=False):
        np.testing.assert_array_equal(fold.fit, same.fit)
        np.testing.assert_array_equal(fold.validation, same.validation)
        np.testing.assert_array_equal(fold.test, same.test)


def test_too_few_hours_for_the_folds_are_refused_with_the_remedy() -> None:
    with pytest.raises(
        DataError, match=r"3 folds of 10 hours need more than 30 forecast origins and there are 30; raise history_days"
    ):
        walk_forward(np.arange(30), hours(40), SMALL)


def test_too_few_hours_for_a_fit_are_refused_with_the_remedy() -> None:
    with pytest.raises(
        DataError, match=r"the fold from 2024-01-01T12:00 UTC has \d windows to fit on and 5 are needed"
    ):
        walk_forward(np.arange(42), hours(46), SMALL)


def test_lead_in_is_judged_on_the_hours_right_before_the_first_fold() -> None:
    origins = np.arange(20, 196)

    fold = lead_in(origins, hours(200), SMALL.model_copy(update={"lead_in_hours": 25}))

    np.testing.assert_array_equal(fold.test, origins[-55:-30])
    assert fold.validation[-1] == fold.test[0] - 4


def test_lead_in_without_hours_is_refused() -> None:
    with pytest.raises(DataError, match=r"1 folds of 25 hours need more than 25 forecast origins and there are 10"):
        lead_in(np.arange(40), hours(50), SMALL.model_copy(update={"lead_in_hours": 25}))


def test_parts_of_a_fold_share_the_arrays() -> None:
    times = hours(200)
    closes = np.ones(200)
    windows = Windows(np.zeros((200, 2), np.float32), closes, times, np.arange(20, 196), 20, 4, ("a", "b"))

    parts = fold_parts(windows, walk_forward(windows.origins, times, SMALL))

    assert len(parts) == 3
    assert all(part.test.closes is closes for part in parts)
    np.testing.assert_array_equal(parts[-1].test.origins, windows.origins[-10:])

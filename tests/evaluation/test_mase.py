import numpy as np
import pytest

from make_us_rich.evaluation.scores import mase


def test_mase_is_one_for_the_last_close_an_hour_ahead_on_the_rows_that_scale_it() -> None:
    closes = np.random.default_rng(0).gamma(9, 10, 500)

    score = mase(closes[1:], closes[:-1], np.abs(np.diff(closes)).mean())

    assert score == pytest.approx(1)


def test_mase_by_hand() -> None:
    """Errors of 1 and 3, and 2 and 4: means 2 and 3, in units of 4."""
    score = mase([[10, 20], [10, 20]], [[9, 22], [13, 16]], 4)

    np.testing.assert_allclose(score, [0.5, 0.75])

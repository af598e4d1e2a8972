import numpy as np

from make_us_rich.domain.forecast import HORIZON
from make_us_rich.features.windows import Windows
from make_us_rich.models.closed_form import training_windows
from make_us_rich.models.cross_fit import Shares, ratios_out_of_fit, share_out
from networks import STATE, parts, recipe

RECIPE = recipe("lstm").model_copy(update={"members": 3, "stretch_hours": 100})
RANGE = 0
"""The column ``log_range_1h``."""


def windows() -> Windows:
    return training_windows(parts("lstm"))


def shares() -> Shares:
    return share_out(windows(), RECIPE)


def test_every_window_is_held_out_by_one_member() -> None:
    assert (shares().held.sum(axis=1) == 1).all()
    assert shares().held.any(axis=0).all()


def test_no_member_learns_from_a_target_that_it_holds_out() -> None:
    origins = windows().origins
    for held, learned in zip(shares().held.T, shares().learned.T, strict=True):
        ahead = np.arange(1, HORIZON + 1)
        tested, seen = ({*(origins[mask][:, None] + ahead).ravel().tolist()} for mask in (held, learned))

        assert tested
        assert seen
        assert not tested & seen


def test_what_is_not_held_out_nor_close_to_it_is_learned() -> None:
    origins, inner = windows().origins, slice(HORIZON, -HORIZON)
    for held, learned in zip(shares().held.T, shares().learned.T, strict=True):
        distance = np.abs(origins[:, None] - origins[held]).min(axis=1)

        np.testing.assert_array_equal(learned[inner], (distance > HORIZON)[inner])


def test_a_later_fit_holds_the_same_hours_out_from_the_same_member() -> None:
    later = windows().at(windows().origins[177:])

    np.testing.assert_array_equal(share_out(later, RECIPE).held, shares().held[177:])


def test_a_ratio_is_over_the_volatility_of_a_fit_without_its_stretch() -> None:
    found = ratios_out_of_fit(windows(), shares())

    features, origins, at = windows().features.astype(float), windows().origins, HORIZON - 1
    design = np.column_stack([np.ones(len(origins)), features[origins, :STATE]])
    ranges = np.exp(2 * features[origins[:, None] + np.arange(1, HORIZON + 1), RANGE]).sum(axis=1)
    for held, learned in zip(shares().held.T, shares().learned.T, strict=True):
        variances = ranges[learned] + 0.02 * ranges[learned].mean()
        weights = np.linalg.lstsq(design[learned], np.log(variances) / 2, rcond=None)[0]
        fitted = design[learned] @ weights
        log_sigma = np.clip(design[held] @ weights, fitted.min() - np.log(2), fitted.max() + np.log(2))

        np.testing.assert_allclose(found[held, at], windows().targets()[held, at] / np.exp(log_sigma), rtol=1e-6)

from typing import Any

import numpy as np
import pytest

TABLE = np.array([[-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0], [-4.0, -2.0, -1.0, 0.0, 1.0, 3.0, 4.0]])
CONSTANT, LINE, PARABOLA, INNER, MIDDLE, OUTER = range(6)


def stretched(table: np.ndarray = TABLE, **corrections: float) -> np.ndarray:
    """Quantiles of one window, corrected by so much, ``[horizon, level]``."""
    import torch

    from make_us_rich.models.stretched_quantiles import StretchedQuantiles

    values: Any = torch.zeros(1, 6)
    for name, value in corrections.items():
        values[0, globals()[name]] = value
    return StretchedQuantiles(table)(values)[0].numpy()


def test_no_correction_leaves_the_table() -> None:
    np.testing.assert_allclose(stretched(), TABLE)


def test_a_constant_changes_the_volatility_at_all_horizons_alike() -> None:
    np.testing.assert_allclose(stretched(CONSTANT=np.log(2)), 2 * TABLE, rtol=1e-6)


def test_a_line_changes_the_first_horizon_one_way_and_the_last_the_other() -> None:
    np.testing.assert_allclose(stretched(LINE=np.log(2)), [TABLE[0] / 2, TABLE[1] * 2], rtol=1e-6)


def test_a_parabola_changes_the_middle_against_both_ends() -> None:
    table = np.repeat(TABLE[:1], 25, axis=0)

    found = stretched(table, PARABOLA=np.log(4))

    # The middle of 1 to 25 hours, on the log scale, is 5 hours.
    np.testing.assert_allclose(found[[0, 4, 24]], [4 * TABLE[0], TABLE[0] / 2, 4 * TABLE[0]], rtol=1e-5)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("INNER", [-3.5, -1.5, -1, 0, 1, 1.5, 2.5]),
        ("MIDDLE", [-3.5, -1.5, -0.5, 0, 0.5, 1.5, 2.5]),
        ("OUTER", [-5, -1, -0.5, 0, 0.5, 1, 3]),
    ],
)
def test_a_width_stretches_one_step_on_both_sides(step: str, expected: list[float]) -> None:
    np.testing.assert_allclose(stretched(**{step: np.log(2)})[0], expected, rtol=1e-6)


def test_one_horizon_can_be_corrected() -> None:
    np.testing.assert_allclose(stretched(TABLE[:1], CONSTANT=np.log(2)), 2 * TABLE[:1], rtol=1e-6)

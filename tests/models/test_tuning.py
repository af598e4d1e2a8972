from typing import Any

import pytest

from make_us_rich.domain.errors import ParameterError
from make_us_rich.models.tuning import tuned
from synthetic import TRAINING

HAR: dict[str, Any] = TRAINING.har.model_dump(mode="json")


def test_a_found_recipe_takes_the_place_of_the_configured_one() -> None:
    found = tuned(TRAINING, {"har": HAR | {"symmetry": 0.75}})

    assert found.har == TRAINING.har.model_copy(update={"symmetry": 0.75})


def test_everything_else_stays_as_configured() -> None:
    found = tuned(TRAINING, {"har": HAR | {"symmetry": 0.75}})

    assert found.model_copy(update={"har": TRAINING.har}) == TRAINING


def test_without_a_search_everything_stays_as_configured() -> None:
    assert tuned(TRAINING, {}) == TRAINING


@pytest.mark.parametrize(
    ("recipes", "path"),
    [
        ({"gru": {"layers": 2}}, "gru"),
        ({"har": HAR | {"symmetri": 0.5}}, "har.symmetri"),
        ({"har": HAR | {"symmetry": 2}}, "har.symmetry"),
        ({"har": {"lookback": 1, "symmetry": 0.5}}, "har.symmetric_from"),
    ],
)
def test_a_recipe_of_another_release_is_named_with_the_remedy(recipes: dict[str, Any], path: str) -> None:
    with pytest.raises(ParameterError, match=rf"tuned.json: {path}: .*; delete the file .*, and search again"):
        tuned(TRAINING, recipes)

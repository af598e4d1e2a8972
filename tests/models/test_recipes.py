import json
from typing import Any

import pytest

from make_us_rich.domain.errors import ArtifactError
from make_us_rich.models.challengers import Challenger
from make_us_rich.models.combination import Combination
from make_us_rich.models.interface import Architecture
from make_us_rich.models.recipes import Recipe, recipe_id, recipe_of, restore
from synthetic import TRAINING

MEMBERS: dict[str, Architecture] = {"har": TRAINING.har, "lstm_levels": TRAINING.lstm_levels}
NOT_FITTED: Any = None


def plain(name: str) -> Recipe:
    return recipe_of(name, Challenger(TRAINING.architecture(name), NOT_FITTED))


def both() -> Recipe:
    return {**plain("baseline"), **plain("har")}


def test_a_plain_model_has_one_entry() -> None:
    assert plain("baseline") == {"baseline": {"feature_set": "returns", "lookback": 24, "decays": [0.9, 0.97]}}


def test_a_combination_has_one_for_each_member() -> None:
    twin = TRAINING.har.model_copy(update={"symmetry": 0.25})
    combination = Combination.of({"har": TRAINING.har, "twin": twin})

    recipe = recipe_of("combination", Challenger(combination, NOT_FITTED))

    assert {name: values["symmetry"] for name, values in recipe.items()} == {"har": 0.5, "twin": 0.25}


@pytest.mark.parametrize("name", TRAINING.names())
def test_a_recipe_survives_its_manifest(name: str) -> None:
    stored = json.loads(json.dumps(plain(name)))

    assert restore(stored) == {name: TRAINING.architecture(name)}


def test_every_member_is_restored() -> None:
    assert restore(both()) == {"baseline": TRAINING.baseline, "har": TRAINING.har}


def test_a_recipe_keeps_its_own_hyperparameters() -> None:
    recipe = {"har": plain("har")["har"] | {"symmetry": 0.125}}

    assert restore(recipe)["har"] == TRAINING.har.model_copy(update={"symmetry": 0.125})


def test_an_architecture_of_another_release_is_refused_with_the_known_ones() -> None:
    match = r"^recipe of gru: this release has no such architecture, only baseline, har.*; train the pair again$"
    with pytest.raises(ArtifactError, match=match):
        restore({"gru": {"layers": 2}})


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"heads": 4}, "recipe of har: not one of this release: heads: Extra inputs are not permitted; train the pair"),
        ({"symmetry": 2}, "recipe of har: not one of this release: symmetry: Input should be less than or equal to 1;"),
        ({"lookback": None}, "recipe of har: not one of this release: lookback: Input should be a valid integer;"),
    ],
)
def test_hyperparameters_of_another_release_are_refused_by_name(change: dict[str, Any], match: str) -> None:
    with pytest.raises(ArtifactError, match=match):
        restore({"har": plain("har")["har"] | change})


def test_a_missing_hyperparameter_is_not_made_up() -> None:
    shortened = {name: value for name, value in plain("har")["har"].items() if name != "symmetry"}

    with pytest.raises(ArtifactError, match="symmetry: Field required"):
        restore({"har": shortened})


def test_the_id_is_short_and_does_not_depend_on_the_order() -> None:
    turned = {name: dict(reversed(values.items())) for name, values in reversed(both().items())}

    assert recipe_id(turned) == recipe_id(both())
    assert len(recipe_id(both())) == 12


def test_the_id_survives_the_manifest() -> None:
    restored = restore(json.loads(json.dumps(both())))

    again: Recipe = {}
    for name, architecture in restored.items():
        again |= recipe_of(name, Challenger(architecture, NOT_FITTED))
    assert recipe_id(again) == recipe_id(both())


@pytest.mark.parametrize(
    "other",
    [
        {"har": plain("har")["har"] | {"symmetry": 0.25}},
        {"har": plain("har")["har"] | {"lookback": 2}},
        {"twin": plain("har")["har"]},
        both(),
    ],
)
def test_another_recipe_has_another_id(other: Recipe) -> None:
    assert recipe_id(other) != recipe_id(plain("har"))

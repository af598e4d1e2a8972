import json
from typing import Any

import pytest

from make_us_rich.domain.errors import ArtifactError, ParameterError
from make_us_rich.models.base import Challenger
from make_us_rich.models.ensemble import combine
from make_us_rich.models.registry import (
    Recipe,
    config_hash,
    parse_architectures,
    recipe_of,
    restore_architectures,
)
from synthetic import TRAINING

HAR: dict[str, Any] = TRAINING.har.model_dump(mode="json")
NOT_FITTED: Any = None


@pytest.mark.parametrize("text", ["", "gru", "baseline+gru", "baseline,lstm_levels", " baseline", "seed"])
def test_an_unknown_name_is_refused_with_the_known_ones(text: str) -> None:
    known = "baseline, har, lstm, patch_transformer, lstm_levels"
    with pytest.raises(ParameterError, match=rf"parameter architectures: '.*' is unknown; choose from {known}$"):
        parse_architectures(text)


# Best parameters


def test_best_params_replace_the_configured_ones_and_nothing_else() -> None:
    found = TRAINING.with_best_params({"har": HAR | {"symmetry": 0.75}})

    assert found.har == TRAINING.har.model_copy(update={"symmetry": 0.75})
    assert found.model_copy(update={"har": TRAINING.har}) == TRAINING == TRAINING.with_best_params({})


@pytest.mark.parametrize(
    ("best_params", "path"),
    [
        ({"gru": {"layers": 2}}, "gru"),
        ({"har": HAR | {"symmetri": 0.5}}, "har.symmetri"),
        ({"har": HAR | {"symmetry": 2}}, "har.symmetry"),
        ({"har": {"lookback": 1, "symmetry": 0.5}}, "har.symmetric_from"),
    ],
)
def test_best_params_of_another_release_are_named_with_the_remedy(best_params: Recipe, path: str) -> None:
    match = rf"best_params.json: {path}: .*; delete the file .*, and run the tuning pipeline again"
    with pytest.raises(ParameterError, match=match):
        TRAINING.with_best_params(best_params)


# Recipes


def recipe(name: str) -> Recipe:
    return recipe_of(name, Challenger(TRAINING.architecture(name), NOT_FITTED))


def test_an_ensemble_has_an_entry_for_each_member() -> None:
    twin = TRAINING.har.model_copy(update={"symmetry": 0.25})
    members = {"har": TRAINING.har, "twin": twin}

    found = recipe_of("har+twin", combine({name: Challenger(each, NOT_FITTED) for name, each in members.items()}))

    assert {name: values["symmetry"] for name, values in found.items()} == {"har": 0.5, "twin": 0.25}


@pytest.mark.parametrize("name", TRAINING.names())
def test_a_recipe_survives_its_manifest(name: str) -> None:
    stored = json.loads(json.dumps(recipe("baseline") | recipe(name)))

    assert restore_architectures(stored) == {
        "baseline": TRAINING.baseline,
        name: TRAINING.architecture(name),
    }


@pytest.mark.parametrize(
    ("stored", "match"),
    [
        ({"gru": {"layers": 2}}, "recipe of gru: this release has no such architecture, only baseline, har"),
        ({"har": HAR | {"heads": 4}}, "recipe of har: another release's: heads: Extra inputs are not permitted"),
        ({"har": HAR | {"symmetry": 2}}, "symmetry: Input should be less than or equal to 1"),
        ({"har": {name: HAR[name] for name in HAR if name != "symmetry"}}, "symmetry: Field required"),
    ],
)
def test_a_recipe_of_another_release_is_refused_by_name(stored: Recipe, match: str) -> None:
    with pytest.raises(ArtifactError, match=f"{match}.*; train the pair again$"):
        restore_architectures(stored)


def test_the_hash_is_short_and_does_not_depend_on_the_order() -> None:
    both = recipe("baseline") | recipe("har")
    turned = {name: dict(reversed(values.items())) for name, values in reversed(both.items())}

    assert config_hash(turned) == config_hash(both)
    assert len(config_hash(both)) == 12
    for other in ({"har": HAR | {"symmetry": 0.25}}, {"twin": HAR}, both):
        assert config_hash(other) != config_hash({"har": HAR})

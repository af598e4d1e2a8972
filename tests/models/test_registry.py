from typing import Any

import pytest
from pydantic import ValidationError

from make_us_rich.domain.errors import ParameterError
from make_us_rich.models.registry import TrainingParameters, requested, with_baseline
from synthetic import TRAINING

RECORD: dict[str, Any] = TRAINING.model_dump()


def test_names_are_joined_by_a_plus() -> None:
    assert requested("lstm_levels+baseline") == ["lstm_levels", "baseline"]


@pytest.mark.parametrize("text", ["", "gru", "baseline+gru", "baseline,lstm_levels", " baseline", "seed"])
def test_an_unknown_name_is_refused_with_the_known_ones(text: str) -> None:
    known = "baseline, har, har_week, lstm, patch_transformer, lstm_levels"
    match = rf"parameter architectures: '.*' is unknown; choose from {known}$"
    with pytest.raises(ParameterError, match=match):
        requested(text)


def test_the_baseline_is_fitted_beside_what_was_asked_for() -> None:
    assert with_baseline("lstm_levels") == ["lstm_levels", "baseline"]


def test_the_baseline_is_fitted_once() -> None:
    assert with_baseline("baseline+lstm_levels") == ["baseline", "lstm_levels"]


def test_an_architecture_is_found_by_its_name() -> None:
    assert TRAINING.architecture("lstm_levels") is TRAINING.lstm_levels


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"sead": 1}, ("sead",)),
        ({"seed": "abc"}, ("seed",)),
        ({"accelerator": "tpu9"}, ("accelerator",)),
        ({"lstm_levels": RECORD["lstm_levels"] | {"hiden_size": 3}}, ("lstm_levels", "hiden_size")),
        ({"lstm_levels": RECORD["lstm_levels"] | {"layers": 0}}, ("lstm_levels", "layers")),
        ({"lstm_levels": RECORD["lstm_levels"] | {"feature_set": "returns"}}, ("lstm_levels", "feature_set")),
        ({"baseline": {"lookback": 24, "decays": []}}, ("baseline", "decays")),
        ({"baseline": {"lookback": 24, "decays": [1.5]}}, ("baseline", "decays", 0)),
        ({"baseline": {"lookback": 24, "decays": [0.0]}}, ("baseline", "decays", 0)),
    ],
)
def test_a_wrong_parameter_is_named_by_its_full_path(change: dict[str, Any], path: tuple[str | int, ...]) -> None:
    with pytest.raises(ValidationError) as caught:
        TrainingParameters.model_validate(RECORD | change)

    assert caught.value.errors()[0]["loc"] == path


def test_every_hyperparameter_must_be_configured() -> None:
    shortened = {name: value for name, value in RECORD["lstm_levels"].items() if name != "dropout"}

    with pytest.raises(ValidationError, match=r"lstm_levels.dropout\n  Field required"):
        TrainingParameters.model_validate(RECORD | {"lstm_levels": shortened})

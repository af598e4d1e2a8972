import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from make_us_rich.domain.errors import DataError
from make_us_rich.domain.forecast import HORIZON
from make_us_rich.domain.manifest import Published
from make_us_rich.features.split import Split, split_windows
from make_us_rich.features.windows import input_rows, make_windows
from make_us_rich.klines.report import Cause
from make_us_rich.models.registry import TrainingParameters
from make_us_rich.pipelines.preprocessing.nodes import compute_features, fit_scalers, select_candidates, split_klines
from synthetic import CONFIGURED, PLAN, ROWS, RUN, SMALL, Features, data_report, published, simulated_klines

DAYS = ROWS // 24
LOOKBACKS = {"baseline": SMALL["baseline"] | {"lookback": 30}, "lstm_levels": SMALL["lstm_levels"] | {"lookback": 20}}
TRAINING = TrainingParameters.model_validate(CONFIGURED | SMALL | LOOKBACKS)


def market(rows: int = ROWS, gaps: tuple[int, ...] = ()) -> pd.DataFrame:
    """So many candles of the simulated market; three hours are missing before each row in ``gaps``."""
    whole = simulated_klines(rows=rows + 3 * len(gaps))
    return whole.drop([at + 3 * before + ago for before, at in enumerate(gaps) for ago in range(3)]).reset_index(
        drop=True
    )


def line(
    names: str, rows: int = ROWS, served: Published | None = None, training: TrainingParameters = TRAINING
) -> dict[str, Any]:
    return select_candidates(market(rows), DAYS, names, training, PLAN, {}, served)


def scalers_of(
    klines: pd.DataFrame, names: str, cause: Cause | None = None, training: TrainingParameters = TRAINING
) -> dict[str, Any]:
    candidates = line(names, len(klines), training=training)
    frames = compute_features(klines, DAYS, candidates)
    features: Features = {name: lambda frame=frame: frame for name, frame in frames.items()}  # type: ignore[misc]
    split = split_klines(klines, DAYS, candidates, PLAN)
    return fit_scalers(features, split, candidates, data_report() | {"cause": cause}, PLAN, RUN)


def served(recipe: dict[str, Any]) -> Published:
    manifest, graph = published()
    return Published(manifest.model_copy(update={"architecture": "har", "recipe": recipe}), graph)


def test_only_the_newest_days_are_used() -> None:
    klines, candidates = market(), line("baseline")

    features = compute_features(klines, 12, candidates)["returns"]

    assert features.index.tolist() == klines["timestamp"].tail(12 * 24).tolist()
    assert split_klines(klines, 12, candidates, PLAN)["rows"] == 12 * 24


@pytest.mark.parametrize("gaps", [(), (400,)])
@pytest.mark.parametrize("name", ["baseline", "lstm_levels"])
def test_a_scaler_is_fitted_on_the_rows_that_fit_windows_see(name: str, gaps: tuple[int, ...]) -> None:
    klines, architecture, candidates = market(gaps=gaps), TRAINING.architecture(name), line(name)
    frame = compute_features(klines, DAYS, candidates)[architecture.feature_set]
    windows = make_windows(frame, klines, architecture.lookback, HORIZON)
    split = Split.model_validate(split_klines(klines, DAYS, candidates, PLAN))
    rows = input_rows(split_windows(windows, split).train.origins, architecture.lookback)

    scaler = scalers_of(klines, name)[name]

    np.testing.assert_array_equal(scaler.data_min_, frame.to_numpy()[rows].min(axis=0))
    np.testing.assert_array_equal(scaler.data_max_, frame.to_numpy()[rows].max(axis=0))
    assert scaler.n_samples_seen_ == len(rows)
    assert list(scaler.feature_names_in_) == list(frame.columns)


@pytest.mark.parametrize("rows", [240, 258, 300])
def test_the_baseline_is_fitted_from_240_candles_on(rows: int) -> None:
    training = TRAINING.model_copy(update={"baseline": TRAINING.baseline.model_copy(update={"lookback": 168})})
    few, many = (line("har", count, training=training)["challengers"]["baseline"] for count in (rows, ROWS))

    assert list(scalers_of(market(rows), "har", training=training)) == ["baseline"]
    assert (few["lookback"], many["lookback"]) == (12, 168)


@pytest.mark.parametrize(
    ("cause", "remedy"),
    [
        (None, "set history_days to 10 or more"),
        (Cause.YOUNG, "wait until the pair has traded longer"),
        (Cause.DELISTED, "the exchange has delisted the pair: remove it from `pairs`"),
        (Cause.HALTED, "the exchange has halted the pair: wait until it trades again"),
        (Cause.ILLIQUID, "the pair is illiquid, too many hours pass without a trade: choose another one"),
    ],
)
def test_too_few_candles_in_a_row_have_a_remedy_by_their_cause(cause: Cause | None, remedy: str) -> None:
    problem = "btc_usdt: baseline needs 233 candles without a gap, and there are 250; "

    with pytest.raises(DataError, match=f"^{re.escape(problem + remedy)}$"):
        scalers_of(market(250, gaps=(100, 200)), "baseline", cause)


def test_a_challenger_with_too_few_candles_is_left_out_and_the_baseline_stays(caplog: pytest.LogCaptureFixture) -> None:
    assert list(scalers_of(market(), "har")) == ["baseline"]
    assert "btc_usdt: har needs 773 candles without a gap, and there are 720" in caplog.text


@pytest.mark.parametrize(
    ("text", "names"),
    [("lstm_levels", ["lstm_levels", "baseline"]), ("baseline+lstm_levels", ["baseline", "lstm_levels"])],
)
def test_the_baseline_is_always_a_challenger_and_once(text: str, names: list[str]) -> None:
    assert list(line(names=text)["challengers"]) == names


def test_the_recipe_being_served_competes_too_unless_it_is_the_baseline() -> None:
    recipe = {"har": TRAINING.har.model_dump(mode="json")}

    candidates = line("baseline", served=served(recipe))

    assert candidates["champion"] == recipe
    assert list(compute_features(market(), DAYS, candidates)) == ["har", "returns"]
    assert line("har", served=Published(*published()))["champion"] == {}


@pytest.mark.parametrize("recipe", [{"har": {"lookback": 1}}, {"transformer": {}}])
def test_a_recipe_of_another_release_is_reported_and_does_not_compete(
    recipe: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    assert line("har", served=served(recipe))["champion"] == {}
    assert f"recipe of {next(iter(recipe))}: " in caplog.text
    assert "the champion is not compared in this run" in caplog.text

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from make_us_rich.domain.card import ModelCard
from make_us_rich.domain.forecast import QUANTILE_LEVELS
from make_us_rich.evaluation.table import ALL, ANY, score_walk
from make_us_rich.evaluation.walk import Walk, no_walk
from make_us_rich.pipelines.evaluating.card import write_card
from re_lived import walk_of
from synthetic import VERSION, judgement, line

SPLIT = {"rows": 720, "test_start": "2025-01-28T00:00:00Z", "validation_fraction": 0.2, "horizon": 24}
LINEUP = line("har+lstm_levels")
FITTED = walk_of("har", "lstm_levels")


def widened(walk: Walk, factor: float) -> Walk:
    """The walk with wider quantiles of all but the baseline."""
    made = {name: values * (1 if name == "baseline" else factor) for name, values in walk.quantiles.items()}
    return replace(walk, quantiles=made)


SERVED = widened(FITTED, 1.25)
SCORES = score_walk(SERVED)


def write(found: dict[str, Any], scores: pd.DataFrame = SCORES, served: Walk = SERVED) -> tuple[ModelCard, str]:
    """The card as a record that was stored and read again, and in Markdown."""
    record, text = write_card(found, scores, FITTED, served, LINEUP, SPLIT)
    return ModelCard.model_validate_json(json.dumps(record, allow_nan=False)), text


def row_of(horizon: int, fold: int = ALL, volatility: str = ANY) -> Any:
    """HAR's scores."""
    rows = SCORES[(SCORES["architecture"] == "har") & (SCORES["horizon"] == horizon)]
    return rows[(rows["fold"] == fold) & (rows["volatility"] == volatility)].squeeze()


def tables(text: str) -> dict[str, list[list[str]]]:
    """Cells of the table under each heading."""
    parts = dict(part.split("\n", 1) for part in text.split("\n## "))
    rows = {name: [line for line in part.splitlines() if line.startswith("|")] for name, part in parts.items()}
    return {name: [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines] for name, lines in rows.items()}


@pytest.fixture(scope="module")
def made() -> tuple[ModelCard, str]:
    return write(judgement("har"))


@pytest.fixture(scope="module")
def card(made: tuple[ModelCard, str]) -> ModelCard:
    return made[0]


@pytest.fixture(scope="module")
def text(made: tuple[ModelCard, str]) -> str:
    return made[1]


def test_the_card_holds_the_judgement(card: ModelCard) -> None:
    assert {name: card.model_dump(mode="json")[name] for name in judgement("har")} == judgement("har")


def test_the_card_describes_the_architecture_and_its_hyperparameters(card: ModelCard, text: str) -> None:
    assert card.recipe == {"har": LINEUP["challengers"]["har"]}
    assert card.described["har"].startswith("Heterogeneous autoregression of volatility")
    assert "symmetric_from `12`" in text


def test_the_card_says_when_the_fit_ends(text: str) -> None:
    # The test part begins with the candle of midnight; the fit has seen the one before.
    assert "| trained until | 2025-01-27 23:00 UTC; later candles calibrate it |" in text


def test_scores_are_told_at_1_4_and_24_hours_and_on_average(card: ModelCard) -> None:
    assert [each.horizon for each in card.horizons] == [1, 4, 24, ALL]
    assert card.horizons[1].own.rmse == row_of(4)["rmse"]
    assert card.horizons[1].baseline.crps == row_of(4)["baseline_crps"]
    assert card.horizons[3].dm_t == row_of(ALL)["dm_t"]


def test_folds_and_terciles_are_told_on_average(card: ModelCard) -> None:
    assert [each.crps_skill for each in card.folds] == [row_of(ALL, fold=fold)["crps_skill"] for fold in (1, 2)]
    assert [(each.volatility, each.own.coverage_80) for each in card.volatilities] == [
        (name, row_of(ALL, volatility=name)["coverage_80"]) for name in ("low", "middle", "high")
    ]


def test_a_fold_lasts_from_its_first_forecast_to_its_last(card: ModelCard, text: str) -> None:
    # Its 36 candles opened from midnight on, and a forecast is made when a candle has closed.
    first = card.folds[0]

    assert (f"{first.first:%d %H:%M}", f"{first.last:%d %H:%M}") == ("01 01:00", "02 12:00")
    assert "on 72 forecasts from 2025-01-01 01:00 UTC to 2025-01-04 00:00 UTC" in text


def test_calibration_is_told_by_what_it_changed(card: ModelCard) -> None:
    fitted, outcomes = FITTED.quantiles["har"][:, 3], FITTED.targets[:, 3]
    before = np.mean((fitted[:, 1] <= outcomes) & (outcomes <= fitted[:, 5]))
    after = np.mean((1.25 * fitted[:, 1] <= outcomes) & (outcomes <= 1.25 * fitted[:, 5]))

    found = card.calibration[1]

    assert (found.horizon, found.factor) == (4, pytest.approx(1.25))
    assert (found.coverage_fitted, found.coverage_served) == (before, after)
    assert before < after


def test_a_combination_was_fitted_as_the_mean_of_its_members() -> None:
    name = "har+lstm_levels"
    mean = (FITTED.quantiles["har"] + FITTED.quantiles["lstm_levels"]) / 2
    served = replace(SERVED, quantiles={**SERVED.quantiles, name: 3 * mean})

    card, text = write(judgement(name), score_walk(served), served)

    assert [each.factor for each in card.calibration] == pytest.approx([3, 3, 3])
    assert card.recipe.keys() == card.described.keys() == {"har", "lstm_levels"}
    assert "- **lstm_levels**: feature_set" in text


@pytest.mark.parametrize(
    ("publish", "heading"), [(True, "**Published.** Mean CRPS 3 %"), (False, "**Not published.**")]
)
def test_the_verdict_comes_first(publish: bool, heading: str) -> None:
    _, text = write(judgement("har", publish=publish))

    assert text.split("\n## ")[1].startswith(f"Verdict\n\n{heading}")


def test_no_edge_is_explained(text: str) -> None:
    assert "**No edge.** The point forecast is the last close, since nothing was found" in text
    assert "Its own median" not in text


def test_a_median_that_was_tried_in_vain_is_told() -> None:
    found = judgement("har")
    found["challengers"][0]["edge"] = {"publish": False, "reason": "no edge: 3 of 8 folds won, 6 are needed"}

    _, text = write(found)

    assert "Its own median was tried: no edge: 3 of 8 folds won, 6 are needed." in text


def test_an_edge_is_told_with_its_figures() -> None:
    found = judgement("har")
    found["challengers"][0]["edge"] = {"publish": True, "reason": "edge: mean absolute error 1.00 % below"}

    _, text = write(found)

    assert "**Edge.** The median is shown as point forecast. Edge: mean absolute error 1.00 % below." in text


def test_the_text_has_the_skill_beside_the_baselines_crps(text: str) -> None:
    row = row_of(ALL)

    found = tables(text)["Skill and coverage"][-1]

    skill, t, p = f"{100 * row['crps_skill']:+.1f} %", f"{row['dm_t']:.1f}", f"{row['dm_p']:.2g}"
    crps = [f"{1e4 * row[name]:.2f}" for name in ("crps", "baseline_crps")]
    coverage = " / ".join(f"{100 * row[f'coverage_{nominal}']:.1f}" for nominal in (50, 80, 90))
    assert found[:-1] == ["mean", *crps, skill, t, p, coverage]


def test_the_text_has_price_errors_beside_persistences(text: str) -> None:
    header, _, first, *_ = tables(text)["Point forecast"]

    assert header[1:3] == ["RMSE, USDT", "persistence's"]
    assert first[:3] == ["1 h", f"{row_of(1)['rmse']:,.5g}", f"{row_of(1)['baseline_rmse']:,.5g}"]
    assert first[5] == f"{100 * row_of(1)['mape']:.2f} %"


def test_the_text_counts_the_folds_won(card: ModelCard, text: str) -> None:
    won = sum((each.crps_skill or 0) > 0 for each in card.folds)

    rows = tables(text)[f"Folds: {won} of 2 won"][2:]

    assert [row[0] for row in rows] == ["1", "2"]
    assert [row[-1] for row in rows].count("yes") == won


def test_every_challenger_is_told_with_its_verdict(text: str) -> None:
    assert "## Challengers\n\n- **har**: Mean CRPS 3 % below the baseline's.\n" in text


def test_every_table_is_well_formed(text: str) -> None:
    for name, rows in tables(text).items():
        assert len({len(row) for row in rows}) <= 1, name
        assert all(set(row) == {"---"} for row in rows[1:2]), name


def test_a_bar_in_a_cell_does_not_end_it() -> None:
    _, text = write(judgement("har") | {"champion": "a|b"})

    assert "`a\\|b`" in text


def test_the_limits_are_told(text: str) -> None:
    assert "It is no recommendation to trade." in text
    assert "after a gap there is\n  no forecast" in text


def test_no_r_squared_of_price_levels_is_told(text: str) -> None:
    assert "R²" not in text


def test_the_baselines_card_boasts_of_no_folds_won() -> None:
    card, text = write(judgement("baseline"))

    assert "\n## Folds\n" in text
    assert "None but the baseline." in text
    assert [each.factor for each in card.calibration] == [1, 1, 1]


def test_a_pair_too_young_for_the_folds_has_a_card_that_says_so() -> None:
    young = no_walk(QUANTILE_LEVELS, {"har": "too few candles"})

    card, text = write(judgement("baseline"), score_walk(young), young)

    assert card.horizons == card.folds == card.volatilities == card.calibration == ()
    assert "nothing has been judged yet" in text
    assert f"`{VERSION}`" in text


def test_a_score_without_a_value_is_none_in_the_record_and_a_dash_in_the_text() -> None:
    still = SCORES.assign(directional_accuracy=np.nan, baseline_directional_accuracy=np.nan, dm_t=np.inf)

    card, text = write(judgement("har"), still)

    assert card.horizons[0].own.directional_accuracy is None
    assert card.horizons[0].dm_t is None
    assert tables(text)["Point forecast"][2][-2:] == ["-", "-"]

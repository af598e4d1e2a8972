import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from make_us_rich.backtest.backtest import Backtests, empty_backtests
from make_us_rich.backtest.events import score_events
from make_us_rich.backtest.score_table import ALL, ANY, score_backtest
from make_us_rich.domain.forecast import LEVELS
from make_us_rich.domain.model_card import ModelCard
from make_us_rich.pipelines.evaluating.model_card import write_model_card
from make_us_rich.pipelines.evaluating.nodes import describe_calibration
from synthetic import SPLIT, VERSION, judgement, line

CANDIDATES = line("har+lstm_levels")

Card = tuple[ModelCard, str]
Write = Callable[..., Card]


@pytest.fixture(scope="module")
def fitted(backtest_of: Any) -> Backtests:
    return backtest_of("har", "lstm_levels")


@pytest.fixture(scope="module")
def served(fitted: Backtests) -> Backtests:
    """With wider quantiles of all but the baseline."""
    wider = {"baseline": 1.0, "har": 1.25, "lstm_levels": 1.25}
    return {
        target: replace(each, quantiles={name: wider[name] * values for name, values in each.quantiles.items()})
        for target, each in fitted.items()
    }


@pytest.fixture(scope="module")
def scores(served: Backtests) -> pd.DataFrame:
    return score_backtest(served)


@pytest.fixture(scope="module")
def write(fitted: Backtests, served: Backtests, scores: pd.DataFrame) -> Write:
    """Writes the card as a record that was stored and read again, and in Markdown."""

    def make(report: dict[str, Any], scores: pd.DataFrame = scores, served: Backtests = served) -> Card:
        events = score_events(served, report["choice"], seed=42).model_dump(mode="json")
        effect = describe_calibration(fitted, served, report["choice"])
        record, text = write_model_card(report, scores, effect, served, events, CANDIDATES, SPLIT)
        return ModelCard.model_validate_json(json.dumps(record, allow_nan=False)), text

    return make


@pytest.fixture(scope="module")
def made(write: Write) -> Card:
    return write(judgement("har"))


@pytest.fixture(scope="module")
def row_of(scores: pd.DataFrame) -> Callable[..., Any]:

    def find(horizon: int, fold: int = ALL, volatility: str = ANY) -> Any:
        rows = scores[(scores["architecture"] == "har") & (scores["horizon"] == horizon)]
        return rows[(rows["fold"] == fold) & (rows["volatility"] == volatility)].squeeze()

    return find


def tables(text: str) -> dict[str, list[list[str]]]:
    """Cells of the table under each heading."""
    parts = dict(part.split("\n", 1) for part in text.split("\n## "))
    rows = {name: [line for line in part.splitlines() if line.startswith("|")] for name, part in parts.items()}
    return {name: [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines] for name, lines in rows.items()}


def test_the_card_holds_report_architecture_hyperparameters_and_the_end_of_the_fit(made: Card) -> None:
    card, text = made

    assert {name: card.model_dump(mode="json")[name] for name in judgement("har")} == judgement("har")
    assert card.recipe == {"har": CANDIDATES["challengers"]["har"]}
    assert card.described["har"].startswith("Heterogeneous autoregression of volatility")
    assert "symmetric_from `12`" in text
    # The split ends with the candle before the one of midnight.
    assert "| trained until | 2025-01-27 23:00 UTC; the backtest's forecasts calibrate it |" in text


def test_scores_are_shown_by_horizon_fold_and_tercile(made: Card, row_of: Any) -> None:
    card = made[0]

    assert [each.horizon for each in card.horizons] == [1, 4, 24, ALL]
    assert card.horizons[1].own.rmse == row_of(4)["rmse"]
    assert card.horizons[1].baseline.crps == row_of(4)["baseline_crps"]
    assert card.horizons[3].dm_t == row_of(ALL)["dm_t"]
    assert [each.crps_skill for each in card.folds] == [row_of(ALL, fold=fold)["crps_skill"] for fold in (1, 2)]
    assert [(each.volatility, each.own.coverage_80) for each in card.volatilities] == [
        (name, row_of(ALL, volatility=name)["coverage_80"]) for name in ("low", "middle", "high")
    ]


def test_calibration_is_described_by_what_it_changed(made: Card, fitted: Backtests) -> None:
    quantiles, outcomes = fitted["close"].quantiles["har"][:, 3], fitted["close"].targets[:, 3]
    low, high = (quantiles[:, LEVELS.index(level)] for level in (0.1, 0.9))
    before, after = (np.mean((factor * low <= outcomes) & (outcomes <= factor * high)) for factor in (1, 1.25))

    found = made[0].calibration[1]

    assert (found.horizon, found.factor) == (4, pytest.approx(1.25))
    assert (found.coverage_fitted, found.coverage_served) == (before, after)
    assert before < after


@pytest.mark.parametrize(
    ("publish", "heading", "edge", "sentence"),
    [
        (
            *(True, "**Published.** Mean CRPS 3 %", "no edge: 3 of 8 folds won"),
            "Its own median was tried: no edge: 3 of 8 folds won.",
        ),
        (
            *(False, "**Not published.**", "edge: 1.00 % below"),
            "**Edge.** The median is shown as point forecast. Edge: 1.00 % below.",
        ),
    ],
)
def test_the_verdict_comes_first_with_the_edge_and_its_figures(
    write: Write, publish: bool, heading: str, edge: str, sentence: str
) -> None:
    report = judgement("har", publish=publish)
    report["challengers"][0]["edge"] = {"publish": edge.startswith("edge"), "reason": edge}

    first = write(report)[1].split("\n## ")[1]

    assert first.startswith(f"Verdict\n\n{heading}")
    assert sentence in first


def test_the_text_has_each_score_beside_the_baselines(made: Card, row_of: Any) -> None:
    card, text = made
    row, first = row_of(ALL), row_of(1)

    skill, t, p = f"{100 * row['crps_skill']:+.1f} %", f"{row['dm_t']:.1f}", f"{row['dm_p']:.2g}"
    crps = [f"{1e4 * row[name]:.2f}" for name in ("crps", "baseline_crps")]
    coverage = " / ".join(f"{100 * row[f'coverage_{share}']:.1f}" for share in (50, 80, 90))
    assert tables(text)["Skill and coverage"][-1][:-1] == ["mean", *crps, skill, t, p, coverage]
    beyond = f"{100 * row['below']:.1f} % / {100 * row['above']:.1f} %"
    outer = [f"{100 * row[name]:.1f} %" for name in ("high_above", "low_below")]
    skills = [f"{100 * row[name]:+.1f} %" for name in ("high_crps_skill", "low_crps_skill")]
    assert tables(text)["Highs and lows"][-1] == ["mean", *skills, beyond, *outer]
    header, _, cells, *_ = tables(text)["Point forecast"]
    assert header[1:3] == ["RMSE, USDT", "persistence's"]
    assert cells[:3] == ["1 h", f"{first['rmse']:,.5g}", f"{first['baseline_rmse']:,.5g}"]
    assert cells[5] == f"{100 * first['mape']:.2f} %"
    won = sum((each.crps_skill or 0) > 0 for each in card.folds)
    folds = tables(text)[f"Folds: {won} of 2 won"][2:]
    assert [row[0] for row in folds] == ["1", "2"]
    assert [row[-1] for row in folds].count("yes") == won


def test_a_pair_too_young_for_the_folds_has_a_card_that_says_so(write: Write) -> None:
    young = empty_backtests(LEVELS, {"har": "too few candles"}, {})

    card, text = write(judgement("baseline"), score_backtest(young), young)

    assert card.horizons == card.folds == card.volatilities == card.calibration == ()
    assert "nothing has been evaluated yet" in text
    assert f"`{VERSION}`" in text


def test_a_score_without_a_value_is_none_in_the_record_and_a_dash_in_the_text(
    write: Write, scores: pd.DataFrame
) -> None:
    still = scores.assign(directional_accuracy=np.nan, baseline_directional_accuracy=np.nan, dm_t=np.inf)

    card, text = write(judgement("har"), still)

    assert (card.horizons[0].own.directional_accuracy, card.horizons[0].dm_t) == (None, None)
    assert tables(text)["Point forecast"][2][-2:] == ["-", "-"]


def test_the_card_of_a_simulated_market_says_so_first(write: Write, made: Card) -> None:
    _, simulated = write(judgement("har") | {"simulated": True})

    assert simulated.split("\n\n")[1].startswith("> **Simulated market.**")
    assert "imulat" not in made[1]


def test_the_card_of_an_earlier_release_is_still_read(made: Card) -> None:
    record = made[0].model_dump(mode="json")
    record.pop("simulated")
    record["challengers"][0]["tried"] = record["challengers"][0].pop("n_comparisons")

    assert ModelCard.model_validate(record).challengers[0].n_comparisons == 1

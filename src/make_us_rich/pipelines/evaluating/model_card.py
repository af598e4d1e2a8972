"""The model card of a run's choice, as a record and in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pandas as pd

from make_us_rich.backtest.backtest import Backtests
from make_us_rich.backtest.score_table import ALL, ANY
from make_us_rich.domain.evaluation import EventScores
from make_us_rich.domain.forecast import BASELINE, HORIZON
from make_us_rich.domain.klines import HOUR
from make_us_rich.domain.manifest import NO_EDGE
from make_us_rich.domain.model_card import AtHorizon, Compared, ModelCard, Scores
from make_us_rich.domain.pair import Pair
from make_us_rich.features.split import Split
from make_us_rich.models.registry import Candidates

Record = dict[str, Any]

_COMPARED = ("CRPS", "baseline's", "skill")
_COVERED = ("within", "baseline's")
_MINUTE = "%Y-%m-%d %H:%M UTC"
_POINTS = {"rmse": ",.5g", "mae": ",.5g", "mape": ".2f", "mase": ".2f", "directional_accuracy": ".1f"}
_SIMULATED = "> **Simulated market.** The prices come from a simulation: nobody has traded at them."
_TOO_FEW = "There are too few candles for the folds: nothing has been evaluated yet."
_LIMITS = """## Limits

- It is not a recommendation to trade. It knows nothing of fees, order books, news or other markets.
- One outcome in ten is expected outside the 90 % interval; how far outside, the model does not say.
- It has learned from the candles above and may fail in a market unlike them.
- It forecasts only where the hours that it needs are complete: nothing is filled in after a gap, and no score counts
  those hours.
- The backtest evaluates the recipe, fitted anew before each fold, and not the very fit that is published.
- Packages, revision and checksums are in the manifest of the same version."""


def write_model_card(
    evaluation_report: Record,
    scores: pd.DataFrame,
    calibration_effect: list[Record],
    served_backtest: Backtests,
    event_scores: Record,
    candidates: Record,
    split: Record,
) -> tuple[Record, str]:
    """Describe the model that the run has chosen, published or not.

    Returns:
        The record of a `ModelCard`, and the same in Markdown.
    """
    choice, competing = evaluation_report["choice"], Candidates.model_validate(candidates)
    members, architectures = choice.split("+"), competing.architectures()
    rows = scores[scores["architecture"] == choice]
    means = rows[rows["horizon"] == ALL]
    by_horizon = rows[(rows["fold"] == ALL) & (rows["volatility"] == ANY)].set_index("horizon", drop=False)
    reported = by_horizon.loc[[horizon for horizon in (1, 4, HORIZON, ALL) if horizon in by_horizon.index]]
    closes = served_backtest["close"]
    moments = pd.Series(pd.to_datetime(closes.opens, utc=True) + HOUR).groupby(closes.folds)
    folds = _compare(means[means["fold"] != ALL], "fold")
    spans = moments.agg(["first", "last"]).to_dict("records")
    card = ModelCard.model_validate(
        {
            **evaluation_report,
            "described": {name: (architectures[name].__doc__ or "").strip().partition("\n")[0] for name in members},
            "recipe": {name: competing.challengers[name] for name in members},
            "trained_until": Split.model_validate(split).test_start - HOUR,
            "horizons": _compare(reported, "horizon", "dm_t", "dm_p"),
            "volatilities": _compare(means[means["volatility"] != ANY], "volatility"),
            "folds": [fold | span for fold, span in zip(folds, spans, strict=True)],
            "events": event_scores,
            "calibration": calibration_effect,
        }
    )
    return card.model_dump(mode="json"), render_card(card)


def _compare(rows: pd.DataFrame, *keys: str) -> list[Record]:
    """Rows of the score table as records of ``Compared``."""
    return [
        {
            **{name: row[name] for name in ("windows", "crps_skill", "high_crps_skill", "low_crps_skill", *keys)},
            "own": {name: row[name] for name in Scores.model_fields},
            "baseline": {name: row[f"baseline_{name}"] for name in Scores.model_fields},
        }
        for row in rows.to_dict("records")
    ]


def render_card(card: ModelCard) -> str:
    """The card in Markdown."""
    challengers = [f"- **{each.architecture}**: {_sentence(each.verdict.reason)}" for each in card.challengers]
    recipe = [
        f"- **{name}**: " + ", ".join(f"{key} `{value}`" for key, value in values.items())
        for name, values in card.recipe.items()
    ]
    parts = [
        f"# {card.pair}: {card.choice}",
        *([_SIMULATED] if card.simulated else []),
        _render_summary(card),
        _render_verdict(card),
        *(_render_scores(card) if card.horizons else [_TOO_FEW]),
        "## Challengers\n\n" + ("\n".join(challengers) or "None but the baseline."),
        "## Hyperparameters\n\n" + "\n".join(recipe),
        _LIMITS,
    ]
    return "\n\n".join(parts) + "\n"


def _render_summary(card: ModelCard) -> str:
    pair = Pair.parse(card.pair)
    evaluated = "on no forecasts"
    if card.folds:
        span = f"{card.folds[0].first:{_MINUTE}} to {card.folds[-1].last:{_MINUTE}}"
        evaluated = f"on {sum(fold.windows for fold in card.folds):,} forecasts from {span}"
    champion = f" and the champion, `{card.champion}`" if card.champion else "; there was no champion"
    rows = [
        ("pair", f"{pair.base.upper()} in {pair.quote.upper()}, hourly, 1 to 24 hours ahead"),
        *card.described.items(),
        ("version", f"`{card.version}`"),
        ("candles", f"{card.candles.rows:,}, {card.candles.start:{_MINUTE}} to {card.candles.end:{_MINUTE}}"),
        ("trained until", f"{card.trained_until:{_MINUTE}}; the backtest's forecasts calibrate it"),
        ("evaluated", f"{card.at:{_MINUTE}}, {evaluated}"),
        ("compared with", f"the baseline{champion}"),
    ]
    return _table(("property", "value"), rows)


def _render_verdict(card: ModelCard) -> str:
    edge = card.edge
    heading = "Published" if card.verdict.publish else "Not published"
    text = f"**Edge.** The median is shown as point forecast. {_sentence(edge.reason)}"
    if not edge.publish:
        text = (
            "**No edge.** The point forecast is the last close, since no significant forecast of the direction was"
            " found; the model forecasts how far the price may move."
        )
        text += "" if edge == NO_EDGE else f" Its own median was tried: {edge.reason}."
    return f"## Verdict\n\n**{heading}.** {_sentence(card.verdict.reason)}\n\n{text}"


def _render_scores(card: ModelCard) -> Iterator[str]:
    yield _section(
        "Skill and coverage",
        "CRPS in basis points of log return, lower is better; skill is the share of the baseline's that is gone;"
        " t and p are of the Diebold-Mariano test, one-sided. The last two columns are the shares of the outcomes"
        " within the 50, 80 and 90 % intervals.",
        ("horizon", *_COMPARED, "t", "p", *_COVERED),
        (
            (_span(each), *_compared(each), _number(each.dm_t, ".1f"), _number(each.dm_p, ".2g"), *_covered(each))
            for each in card.horizons
        ),
    )
    yield _section(
        "Highs and lows",
        "The highest high and the lowest low until each hour. The last columns are the shares of the outcomes beyond"
        " the outer quantiles, of which 2.5 % are expected: closes below and above, highs above, lows below.",
        ("horizon", "skill of highs", "skill of lows", "closes", "highs", "lows"),
        (
            (
                *(_span(each), _share(each.high_crps_skill, "+.1f"), _share(each.low_crps_skill, "+.1f")),
                f"{_share(each.own.below)} / {_share(each.own.above)}",
                *(_share(each.own.high_above), _share(each.own.low_below)),
            )
            for each in card.horizons
        ),
    )
    yield from _render_events(card.events)
    yield _section(
        "By volatility",
        "Thirds of the forecasts by the width of the baseline's 90 % interval at one hour, which was known beforehand;"
        " mean of 1 to 24 h.",
        ("volatility", "forecasts", *_COMPARED, *_COVERED),
        ((each.volatility, f"{each.windows:,}", *_compared(each), *_covered(each)) for each in card.volatilities),
    )
    won = [(each.crps_skill or 0) > 0 for each in card.folds]
    days = [f"{each.first:%Y-%m-%d} to {each.last:%Y-%m-%d}" for each in card.folds]
    yield _section(
        "Folds" if card.choice == BASELINE else f"Folds: {sum(won)} of {len(won)} won",
        "In each, the recipe was fitted anew on what came before; mean of 1 to 24 h.",
        ("fold", "forecasts of", *_COMPARED, *_COVERED, "won"),
        (
            (str(each.fold), span, *_compared(each), *_covered(each), "yes" if better else "no")
            for each, span, better in zip(card.folds, days, won, strict=True)
        ),
    )
    quote = Pair.parse(card.pair).quote.upper()
    titles = (f"RMSE, {quote}", f"MAE, {quote}", "MAPE", "MASE", "direction")
    yield _section(
        "Point forecast",
        "Errors of the median as a price, beside those of the last close; without an edge they are the same. MASE is"
        " the MAE in mean hourly changes of the training candles.",
        ("horizon", *(cell for title in titles for cell in (title, "persistence's"))),
        ((_span(each), *_points(each)) for each in card.horizons),
    )
    yield _section(
        "Calibration",
        "What the outcomes known on each day changed in the 80 % interval, mean of the folds. While the model is"
        " served, every run measures its scales anew.",
        ("horizon", "width times", "within, as fitted", "within, as served"),
        (
            (f"{at.horizon} h", _number(at.factor, ".3f"), _share(at.coverage_fitted), _share(at.coverage_served))
            for at in card.calibration
        ),
    )


def _render_events(events: EventScores) -> Iterator[str]:
    if not events.probabilities:
        return
    yield _section(
        "Probabilities",
        "Of a close beyond a price, and of its touch before then, for eight prices up to two standard deviations away."
        " The error is the mean difference of what was said and what happened, over ten bins. The Brier score, lower"
        " is better, stands beside the baseline's and that of saying always how often it happened.",
        ("event", "within", "error", "Brier", "baseline's", "climatology's", "of it miscalibration"),
        (
            (
                *(each.event, f"{each.horizon} h", _share(each.error, ".2f"), f"{each.brier:.4f}"),
                *(f"{each.baseline_brier:.4f}", f"{each.climatology_brier:.4f}", f"{each.reliability:.5f}"),
            )
            for each in events.probabilities
        ),
    )
    yield _section(
        "Value at risk",
        "Shares of the outcomes that lost a holder more than was said; p below 0.05 speaks against the forecast"
        " (Kupiec: their number; Christoffersen: their order too).",
        ("level", "within", "forecasts", "beyond", "promised", "p (Kupiec)", "p (Christoffersen)"),
        (
            (
                *(f"{100 * each.level:g} %", f"{each.horizon} h", f"{each.outcomes:,}", _share(each.share, ".2f")),
                *(f"{100 * (1 - each.level):g} %", f"{each.kupiec_p:.2f}", f"{each.christoffersen_p:.2f}"),
            )
            for each in events.risks
        ),
    )
    if (energy := events.energy) is not None:
        yield (
            f"**Paths.** The energy score of {energy.outcomes} days' whole paths of closes is"
            f" {_number(energy.own, '.2f', 1e4)} basis points, the baseline's {_number(energy.baseline, '.2f', 1e4)}:"
            f" a skill of {_share(energy.skill, '+.1f')}."
        )


def _section(title: str, text: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return f"## {title}\n\n{text}\n\n{_table(header, rows)}"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _compared(each: Compared) -> tuple[str, str, str]:
    own, baseline = (_number(made.crps, ".2f", 1e4) for made in (each.own, each.baseline))
    return own, baseline, _share(each.crps_skill, "+.1f")


def _covered(each: Compared) -> Iterator[str]:
    for made in (each.own, each.baseline):
        shares = (made.coverage_50, made.coverage_80, made.coverage_90)
        yield " / ".join(_number(share, ".1f", 100) for share in shares)


def _points(each: Compared) -> Iterator[str]:
    for name, form in _POINTS.items():
        for value in (getattr(each.own, name), getattr(each.baseline, name)):
            yield _share(value, form) if name in ("mape", "directional_accuracy") else _number(value, form)


def _span(each: AtHorizon) -> str:
    return "mean" if each.horizon == ALL else f"{each.horizon} h"


def _share(value: float | None, form: str = ".1f") -> str:
    return "-" if value is None else f"{100 * value:{form}} %"


def _number(value: float | None, form: str, unit: float = 1) -> str:
    return "-" if value is None else f"{unit * value:{form}}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."

"""The model card in Markdown, as a person reads it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from make_us_rich.domain.card import AtHorizon, Compared, ModelCard, OnFold, Scores
from make_us_rich.domain.forecast import BASELINE
from make_us_rich.domain.manifest import NO_EDGE, Verdict
from make_us_rich.domain.pair import Pair
from make_us_rich.evaluation.table import ALL


def tell(card: ModelCard) -> str:
    """The whole card."""
    parts = [
        f"# {card.pair}: {card.choice}",
        _summary(card),
        _verdict(card),
        *(_scores(card) if card.horizons else [_TOO_YOUNG]),
        _challengers(card),
        _recipe(card),
        _LIMITS,
    ]
    return "\n\n".join(parts) + "\n"


def _summary(card: ModelCard) -> str:
    pair = Pair.parse(card.pair)
    rows = [
        ("pair", f"{pair.base.upper()} in {pair.quote.upper()}, hourly, 1 to 24 hours ahead"),
        *((name, sentence) for name, sentence in card.described.items()),
        ("version", f"`{card.version}`"),
        ("candles", f"{card.candles.rows:,}, {_moment(card.candles.start)} to {_moment(card.candles.end)}"),
        ("trained until", f"{_moment(card.trained_until)}; later candles calibrate it"),
        ("judged", f"{_moment(card.at)}, {_judged_on(card)}"),
        ("held against", f"the baseline{_champion(card)}"),
    ]
    return _table(("what", "which"), rows)


def _judged_on(card: ModelCard) -> str:
    if not card.folds:
        return "on no forecasts"
    windows = sum(fold.windows for fold in card.folds)
    return f"on {windows:,} forecasts from {_moment(card.folds[0].first)} to {_moment(card.folds[-1].last)}"


def _champion(card: ModelCard) -> str:
    return f" and the champion, `{card.champion}`" if card.champion else "; there was no champion"


def _verdict(card: ModelCard) -> str:
    edge = {judged.architecture: judged.edge for judged in card.challengers}.get(card.choice, NO_EDGE)
    heading = "Published" if card.verdict.publish else "Not published"
    return f"## Verdict\n\n**{heading}.** {_sentence(card.verdict.reason)}\n\n{_edge(edge)}"


def _edge(edge: Verdict) -> str:
    if edge.publish:
        return f"**Edge.** The median is shown as point forecast. {_sentence(edge.reason)}"
    told = (
        "**No edge.** The point forecast is the last close, since nothing was found that tells better where the price"
        " goes; the model tells how far it may go."
    )
    return told if edge == NO_EDGE else f"{told} Its own median was tried: {edge.reason}."


def _scores(card: ModelCard) -> Iterator[str]:
    yield _by_horizon(card.horizons)
    yield _by_volatility(card)
    yield _by_fold(card)
    yield _points(card.horizons, Pair.parse(card.pair).quote.upper())
    yield _calibration(card)


def _by_horizon(horizons: Sequence[AtHorizon]) -> str:
    rows = [
        (_span(each), *_against(each), _number(each.dm_t, ".1f"), _number(each.dm_p, ".2g"), *_within(each))
        for each in horizons
    ]
    return _section(
        "Skill and coverage",
        "CRPS in basis points of log return, lower is better; skill is the share of the baseline's that is gone;"
        " t and p are Diebold-Mariano's, one-sided. The last two columns are the shares of the outcomes within the"
        " 50, 80 and 90 % intervals.",
        _table(("horizon", *_AGAINST, "t", "p", *_WITHIN), rows),
    )


def _by_volatility(card: ModelCard) -> str:
    rows = [(each.volatility, f"{each.windows:,}", *_against(each), *_within(each)) for each in card.volatilities]
    return _section(
        "By volatility",
        "Thirds of the forecasts by the width of the baseline's 90 % interval at one hour, which was known beforehand;"
        " mean of 1 to 24 h.",
        _table(("volatility", "forecasts", *_AGAINST, *_WITHIN), rows),
    )


def _by_fold(card: ModelCard) -> str:
    won = [(each.crps_skill or 0) > 0 for each in card.folds]
    rows = [
        (str(each.fold), _days(each), *_against(each), *_within(each), "yes" if better else "no")
        for each, better in zip(card.folds, won, strict=True)
    ]
    return _section(
        "Folds" if card.choice == BASELINE else f"Folds: {sum(won)} of {len(won)} won",
        "In each, the recipe was fitted anew on what came before; mean of 1 to 24 h.",
        _table(("fold", "forecasts of", *_AGAINST, *_WITHIN, "won"), rows),
    )


def _points(horizons: Sequence[AtHorizon], quote: str) -> str:
    rows = [
        (_span(each), *(cell for name, form in _POINTS.items() for cell in _pair(each, name, form)))
        for each in horizons
    ]
    titles = (f"RMSE, {quote}", f"MAE, {quote}", "MAPE", "MASE", "direction")
    header = tuple(cell for title in titles for cell in (title, "persistence's"))
    return _section(
        "Point forecast",
        "Errors of the median as a price, beside those of the last close; without an edge they are the same. MASE is"
        " the MAE in mean hourly changes of the training candles.",
        _table(("horizon", *header), rows),
    )


def _calibration(card: ModelCard) -> str:
    rows = [
        (f"{each.horizon} h", _number(each.factor, ".3f"), _share(each.coverage_fitted), _share(each.coverage_served))
        for each in card.calibration
    ]
    return _section(
        "Calibration",
        "What the outcomes known on each day changed in the 80 % interval, mean of the folds. While the model is"
        " served, every run measures its factors anew.",
        _table(("horizon", "width times", "within, as fitted", "within, as served"), rows),
    )


def _challengers(card: ModelCard) -> str:
    told = [f"- **{each.architecture}**: {_sentence(each.verdict.reason)}" for each in card.challengers]
    return "## Challengers\n\n" + ("\n".join(told) or "None but the baseline.")


def _recipe(card: ModelCard) -> str:
    lines = [
        f"- **{name}**: " + ", ".join(f"{key} `{value}`" for key, value in values.items())
        for name, values in card.recipe.items()
    ]
    return "## Hyperparameters\n\n" + "\n".join(lines)


def _section(title: str, text: str, table: str) -> str:
    return f"## {title}\n\n{text}\n\n{table}"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _against(each: Compared) -> tuple[str, str, str]:
    own, baseline = (_number(1e4 * made.crps if made.crps is not None else None, ".2f") for made in _both(each))
    return own, baseline, _share(each.crps_skill, "+.1f")


def _within(each: Compared) -> tuple[str, ...]:
    return tuple(
        " / ".join(_number(100 * share if share is not None else None, ".1f") for share in shares)
        for shares in ((made.coverage_50, made.coverage_80, made.coverage_90) for made in _both(each))
    )


def _pair(each: Compared, name: str, form: str) -> Iterator[str]:
    for made in _both(each):
        value = getattr(made, name)
        yield _share(value, form) if name in _SHARES else _number(value, form)


def _both(each: Compared) -> tuple[Scores, Scores]:
    return each.own, each.baseline


def _span(each: AtHorizon) -> str:
    return "mean" if each.horizon == ALL else f"{each.horizon} h"


def _share(value: float | None, form: str = ".1f") -> str:
    return _NONE if value is None else f"{100 * value:{form}} %"


def _number(value: float | None, form: str) -> str:
    return _NONE if value is None else f"{value:{form}}"


def _days(each: OnFold) -> str:
    return f"{each.first:%Y-%m-%d} to {each.last:%Y-%m-%d}"


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _sentence(text: str) -> str:
    """A reason with its first letter large and a full stop."""
    return text[:1].upper() + text[1:].rstrip(".") + "."


_NONE = "-"
_AGAINST = ("CRPS", "baseline's", "skill")
_WITHIN = ("within", "baseline's")
_POINTS = {"rmse": ",.5g", "mae": ",.5g", "mape": ".2f", "mase": ".2f", "directional_accuracy": ".1f"}
_SHARES = ("mape", "directional_accuracy")
_TOO_YOUNG = "There are too few candles for the folds: nothing has been judged yet."
_LIMITS = """## Limits

- It is no recommendation to trade. It knows nothing of fees, of order books, of news or of other markets.
- One outcome in ten belongs outside the 90 % interval, and nothing is said of how far outside.
- It has learned from the candles above; a market unlike any of them is not in it.
- It forecasts only where the hours that it needs are there in a row: nothing is filled in, so that after a gap there is
  no forecast until they are, and no score counts those hours.
- What was judged is its recipe, fitted anew before each fold, and not the very fit that is published.
- Packages, revision and checksums are in the manifest of the same version."""

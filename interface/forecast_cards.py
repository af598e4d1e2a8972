"""The cards of the page Forecast: ranges and their record, direction, volatility, skill, and ages."""

from datetime import UTC, datetime
from typing import Any

from interface import catalog_reader, forecasts, ui
from interface import formatting as fmt
from interface.charts.chart_data import Selection
from interface.forecasts import CurrentForecast
from interface.ui import Card
from make_us_rich.client.schemas import PastForecasts
from make_us_rich.domain.errors import ArtifactError, StorageError
from make_us_rich.domain.forecast import HORIZON
from make_us_rich.domain.klines import HOUR

_COVERAGE = f"Record of the 80{fmt.NBSP}% range"


def show_ranges(selection: Selection, current: CurrentForecast, past: PastForecasts | None) -> None:
    """The last price, the next ranges, and how often such ranges held."""
    closes, pair, forecast = current.prediction.data.close, selection.pair, current.prediction.forecast
    change = f"{fmt.percent(closes[-1] / closes[-25] - 1, signed=True)} in 24 hours" if len(closes) > 24 else ""
    cards = [Card("Last price", fmt.price(forecast.last_close), fmt.quote(pair), change)]
    fan, _ = selection.fans(forecast)
    # The next close is a later one in an old forecast.
    for label, hour in (("In the next hour", min(HORIZON, 1 + current.age // HOUR)), ("By tomorrow", HORIZON)):
        moment = f"{fmt.quote(pair)} at {fan.fan.closes_at[hour - 1]:%H:%M} UTC"
        note = f"{moment}, with 80{fmt.NBSP}% probability, {fan.relative_range(hour)}"
        cards.append(Card(label, fmt.interval(*fan.interval(80, hour)), note=note))
    if selection.is_reference(forecast):
        cards.append(_baseline_coverage(selection.horizon, forecasts.model(pair, forecast.version).card))
    else:
        share, outcomes = (past.coverage.get("80"), len(past.forecasts)) if past else (None, 0)
        note, tone = fmt.describe_coverage(share, outcomes, selection.horizon)
        figure, unit = ("–", "") if share is None else (fmt.percent(share, 0), "held")
        cards.append(Card(_COVERAGE, figure, unit, note, tone))
    ui.cards(cards)


def show_model(selection: Selection, current: CurrentForecast) -> None:
    """Edge, skill, and the age of model and candles."""
    forecast, now = current.prediction.forecast, datetime.now(UTC)
    model = forecasts.model(selection.pair, forecast.version)
    direction = Card("Direction", "No edge", note="up or down: the model does not claim to know")
    if selection.is_reference(forecast):
        skill = Card("Skill", "–", note="the baseline is what skill is measured against")
    else:
        backtest = (model.manifest.get("metrics") or {}).get("crps_skill_mean")
        skill = _live_skill(selection, forecast.architecture) or ui.skill_card("Skill in the backtest", backtest)
        if forecast.edge.proven:
            direction = Card("Direction", "Edge", note="the point forecast beat the last price")
    published = model.promotions[-1].at if model.promotions else model.loaded_at
    note = f"{fmt.model_label(model.architecture)}, {fmt.utc(published)}"
    trained = Card("Model published", fmt.age(now - published), note=note)
    closed = f"candle of {fmt.utc(forecast.issued_at)}"
    if not current.stale and current.age < HOUR:
        closed += f", next in {fmt.duration(HOUR - current.age)}"
    tone: fmt.Tone = "poor" if current.stale else "fair"
    newest = Card("Newest candle closed", fmt.age(current.age), "", closed, tone)
    ui.cards([direction, _volatility(current), skill, trained, newest])


def _volatility(current: CurrentForecast) -> Card:
    try:
        found = current.volatility()
    except (ArtifactError, StorageError):  # The page Models shows the error.
        found = None
    if found is None or found.percentile is None or found.word is None:
        return Card("Volatility", "–", note="the pair has traded too short to compare")
    tone: fmt.Tone = "poor" if found.word == "wild" else "fair"
    note = f"of the last year's forecasts of {HORIZON} hours; {fmt.percent(found.annual, 0)} a year"
    return Card("Volatility", found.word.capitalize(), f"percentile {found.percentile:.0f}", note, tone)


def _baseline_coverage(horizon: int, card: dict[str, Any] | None) -> Card:
    """The baseline's coverage in the backtest, at the selected horizon where the model card has it, else over all."""
    scores = {each["horizon"]: each["baseline"]["coverage_80"] for each in (card or {}).get("horizons", ())}
    share, at = scores.get(horizon), f"{fmt.count(horizon, 'hour')} ahead"
    if share is None:
        share, at = scores.get(0), f"over 1 to {HORIZON} hours"
    if share is None:
        return Card(_COVERAGE, "–", note="the baseline's is not stored")
    return Card(_COVERAGE, fmt.percent(share, 0), "held", f"the baseline's in the backtest, {at}")


def _live_skill(selection: Selection, architecture: str) -> Card | None:
    try:
        live = catalog_reader.live_scores(selection.pair)
    except (ArtifactError, StorageError):  # The page Models shows the error; here the backtest's skill does.
        return None
    if live is None or not live.windows:
        return None
    window = live.windows[0]
    found = next((each for each in window.horizons if each.horizon == selection.horizon), None)
    outcomes = found.n_outcomes if found and window.architecture == architecture else 0
    label = f"Live skill, {window.days} days"
    record = f"{fmt.count(outcomes, 'outcome')} of {fmt.model_label(architecture)} {selection.horizon}{fmt.NBSP}h ahead"
    if found is None or found.skill is None or outcomes < fmt.MIN_OUTCOMES:
        return Card(label, "–", note=f"{record} so far, a figure needs {fmt.MIN_OUTCOMES}")
    return ui.skill_card(label, found.skill, f", {record}")

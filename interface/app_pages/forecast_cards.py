"""The cards above the chart of a forecast."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from interface import cards, forecasts, records, scenes, words
from interface.api_answers import ModelServed, PastForecasts, Prediction
from interface.cards import Card
from interface.forecasts import Current
from interface.numbers import THIN, age, lasting, percent, price, quote, utc
from interface.scenes import Choice
from make_us_rich.domain.errors import ArtifactError, StorageError
from make_us_rich.domain.klines import HOUR

_DAY = 24


def show_forecast(choice: Choice, current: Current, past: PastForecasts | None) -> None:
    """Above the chart: price, ranges, and whether such ranges have held."""
    cards.show([_last_price(current.prediction), *_ranges(choice, current), _record(past)])


def show_model(choice: Choice, current: Current) -> None:
    """Below it: what the model can and cannot do, and how old everything is."""
    forecast = current.prediction.forecast
    model = forecasts.model(choice.pair, forecast.version)
    skill = _live_skill(choice) or _tested_skill(model)
    cards.show([_direction(forecast.edge.proven), skill, _model_age(model), _data_age(current)])


def _last_price(prediction: Prediction) -> Card:
    closes = prediction.data.close
    moved = closes[-1] / closes[-1 - _DAY] - 1 if len(closes) > _DAY else None
    note = "" if moved is None else f"{percent(moved, signed=True)} in 24 hours"
    return Card("Last price", price(prediction.forecast.last_close), quote(prediction.pair), note)


def _ranges(choice: Choice, current: Current) -> Iterator[Card]:
    """Of the close that comes next, which in an old forecast is not its first one, and of the last one that it has."""
    forecast = current.prediction.forecast
    fan, unit = scenes.chosen_fan(choice, forecast), quote(choice.pair)
    following = min(_DAY, 1 + current.age // HOUR)
    for label, hour in (("In the next hour", following), ("By tomorrow", _DAY)):
        span = words.Span.of(fan.quantiles[hour - 1], fan.levels, forecast.last_close)
        moment = f"{fan.closes_at[hour - 1]:%H:%M} UTC"
        yield Card(label, str(span), "", f"{unit} at {moment}, with 80{THIN}% probability, {span.give_or_take()}")


def _record(past: PastForecasts | None) -> Card:
    share = past.coverage.get("80") if past else None
    count = sum(each.outcome is not None for each in past.forecasts) if past else 0
    said = words.held(share, count, past.horizon if past else 1)
    label = f"Record of the 80{THIN}% range"
    if share is None or count < words.ENOUGH:
        return Card(label, "–", "", said.text, said.tone)
    return Card(label, percent(share, 0), "held", f"{said.text}, {words.as_promised(said)}", said.tone)


def _live_skill(choice: Choice) -> Card | None:
    """Of the forecasts that were served, once some have come true."""
    try:
        live = records.live(choice.pair)
    except (ArtifactError, StorageError):
        # Whose record cannot be read is shown by its tests; the page of models says what is wrong with the store.
        return None
    window = live.windows[0] if live and live.windows else None
    found = next((each for each in window.horizons if each.horizon == choice.horizon), None) if window else None
    if window is None or found is None or found.skill is None:
        return None
    said = words.better(found.skill)
    note = f"{said.text}, {found.forecasts} forecasts {choice.horizon}{THIN}h ahead"
    return Card(f"Live skill, {window.days} days", percent(found.skill, signed=True), "", note, said.tone)


def _tested_skill(model: ModelServed) -> Card:
    skill = (model.manifest.get("metrics") or {}).get("crps_skill_mean")
    said = words.better(skill)
    return Card("Skill in tests", "–" if skill is None else percent(skill, signed=True), "", said.text, said.tone)


def _direction(proven: bool) -> Card:
    figure = "Edge" if proven else "No edge"
    note = "its guess at the price beat the last price" if proven else "up or down: the model does not claim to know"
    return Card("Direction", figure, "", note)


def _model_age(model: ModelServed) -> Card:
    promoted = model.promotions[-1].at if model.promotions else model.loaded_at
    return Card(
        "Model published",
        age(datetime.now(UTC) - promoted),
        "",
        f"{words.member_names(model.architecture)}, {utc(promoted)}",
    )


def _data_age(current: Current) -> Card:
    issued = current.prediction.forecast.issued_at
    coming = timedelta(0) if current.stale else HOUR - current.age
    note = f"candle of {utc(issued)}" + (f", next in {lasting(coming)}" if coming > timedelta(0) else "")
    return Card("Newest candle closed", age(current.age), "", note, "poor" if current.stale else "fair")

"""Answers that follow from a forecast in memory: probabilities, quantiles, volatility, risk, scenarios."""

import asyncio
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Depends, Query, Request, Response

from make_us_rich.client import answers as schemas
from make_us_rich.client.answers import MAX_LIST, Price, Target
from make_us_rich.domain.distribution import Probabilities
from make_us_rich.domain.errors import ParameterError
from make_us_rich.domain.forecast import HORIZON, LEVELS, Forecast
from make_us_rich.domain.klines import HOUR
from make_us_rich.domain.risk import Floats, Position, contributions, results, shown_levels, tail_risk
from make_us_rich.domain.scenarios import align_ranks
from serving.dependencies import QUOTA_HEADERS, ForecastsDep, PairDep, counted_call, require_pair, require_token
from serving.errors import answers
from serving.forecasts.prediction import round_prices
from serving.forecasts.service import ForecastService
from serving.tables import CONTENT, Format, file_response

if TYPE_CHECKING:
    import pyarrow as pa

router = APIRouter(tags=["answers"], dependencies=[Depends(require_token)])

RESULT_LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)

Hours = Annotated[int | None, Query(ge=1, le=HORIZON, description="Hours ahead; by default each of them")]
AllHours = Annotated[int, Query(ge=1, le=HORIZON, description="Hours ahead")]
Prices = Annotated[
    list[Price], Query(alias="price", min_length=1, max_length=MAX_LIST, description="In quote currency")
]
Levels = Annotated[
    list[Annotated[float, Query(ge=LEVELS[0], le=LEVELS[-1])]],
    Query(alias="level", min_length=1, max_length=MAX_LIST, description="Probabilities, 0.005 to 0.995"),
]
OptionalPrice = Annotated[Price | None, Query(description="In quote currency")]
Size = Annotated[float, Query(gt=0, le=1e15, allow_inf_nan=False, description="In base currency")]

_ERRORS = answers(401, 404, 422, 429, 503)
_COUNTED: dict[str, Any] = {"responses": {200: {"headers": QUOTA_HEADERS}, **_ERRORS}}


@router.get("/probability/{pair}", summary="Show the probability of a price", **_COUNTED)
async def show_probability(
    request: Request, response: Response, pair: PairDep, service: ForecastsDep, prices: Prices, hours: Hours = None
) -> schemas.Probabilities:
    """How likely the price closes above and below, and how likely it is touched before then. Counted as one call."""
    forecast = service.current(pair).forecast
    async with counted_call(request, response):
        above, below = (forecast.probabilities(prices, below=side) for side in (False, True))
        touches = forecast.touches(prices)
        found = [
            schemas.PriceProbability(
                price=price,
                hours=hour,
                closes_at=forecast.issued_at + hour * HOUR,
                close_above=_chance(above, hour, column),
                close_below=_chance(below, hour, column),
                touch=_chance(touches, hour, column),
            )
            for column, price in enumerate(prices)
            for hour in ([hours] if hours else range(1, HORIZON + 1))
        ]
        return schemas.Probabilities(**_head(service, forecast), probabilities=found)


@router.get("/quantiles/{pair}", summary="Show quantiles of any level", **_COUNTED)
async def show_quantiles(
    request: Request,
    response: Response,
    pair: PairDep,
    service: ForecastsDep,
    levels: Levels,
    target: Annotated[Target, Query(description="Closes, or the highs or lows until then")] = "close",
) -> schemas.Quantiles:
    """Prices that the target stays at or below with the given probabilities. Counted as one call."""
    forecast = service.current(pair).forecast
    async with counted_call(request, response):
        wanted = sorted(set(levels))
        quantiles = [round_prices(row) for row in forecast.prices(target, wanted)]
        return schemas.Quantiles(
            **_head(service, forecast),
            target=target,
            levels=wanted,
            closes_at=_closes_at(forecast),
            quantiles=quantiles,
        )


@router.get("/volatility/{pair}", summary="Show the volatility", **_COUNTED)
async def show_volatility(
    request: Request, response: Response, pair: PairDep, service: ForecastsDep
) -> schemas.Volatility:
    """How far the price may move within 1 to 24 hours, and how that compares with the last year's forecasts."""
    forecast = service.current(pair).forecast
    async with counted_call(request, response):
        found = [forecast.volatility(hour) for hour in range(1, HORIZON + 1)]
        return schemas.Volatility(
            **_head(service, forecast),
            state=found[-1].word,
            volatilities=[schemas.HourVolatility.model_validate(each, from_attributes=True) for each in found],
        )


@router.get("/risk/{pair}", summary="Show the risk of a position", **_COUNTED)
async def show_risk(
    request: Request,
    response: Response,
    pair: PairDep,
    service: ForecastsDep,
    size: Size = 1.0,
    side: Literal["long", "short"] = "long",
    hours: AllHours = HORIZON,
    stop: OptionalPrice = None,
    target: OptionalPrice = None,
) -> schemas.Risk:
    """Whether the stop or the target is reached first, value at risk and expected shortfall. Counted as one call."""
    forecast = service.current(pair).forecast
    position = Position(size, side, stop, target)
    position.check(forecast.last_close)
    async with counted_call(request, response):
        paths = forecast.scenarios()[:, :, :hours]
        gains, exits = results(paths, forecast.last_close, position)
        return schemas.Risk(
            **_head(service, forecast),
            side=side,
            size=size,
            hours=hours,
            exits=schemas.Exits(**asdict(exits)) if stop or target else None,
            tail=_tail(gains),
            results=round_prices(np.quantile(gains, RESULT_LEVELS, method="hazen")),
            scenarios=len(gains),
        )


@router.post("/risk/portfolio", summary="Show the risk of a portfolio", **_COUNTED)
async def show_portfolio_risk(
    request: Request, response: Response, service: ForecastsDep, portfolio: schemas.Portfolio
) -> schemas.PortfolioRisk:
    """Value at risk and expected shortfall of holdings, and each one's part, from joint scenarios. One call in all."""
    sizes: dict[str, float] = {}
    for holding in portfolio.holdings:
        name = require_pair(service, holding.pair)
        sizes[name] = sizes.get(name, 0) + holding.size
    if len({name.partition("_")[2] for name in sizes}) > 1:
        raise ParameterError("the holdings are in several quote currencies", "ask for each of them by itself")
    forecasts = {name: service.current(name).forecast for name in sizes}
    async with counted_call(request, response):
        gains = _joint_gains(forecasts, sizes, portfolio.hours)
        parts = {level: contributions(gains, level) for level in shown_levels(len(next(iter(gains.values()))))}
        total = np.sum(list(gains.values()), axis=0)
        return schemas.PortfolioRisk(
            simulated=service.candles.simulated,
            hours=portfolio.hours,
            issued_at=min(forecast.issued_at for forecast in forecasts.values()),
            value=sum(size * forecasts[name].last_close for name, size in sizes.items()),
            tail=_tail(total),
            holdings=[
                schemas.HoldingRisk(
                    pair=name,
                    size=size,
                    value=size * forecasts[name].last_close,
                    contributions={f"{level:g}": part[name] for level, part in parts.items()},
                )
                for name, size in sizes.items()
            ],
            gains=round_prices(np.sort(total)),
            scenarios=len(total),
        )


@router.get(
    "/scenarios/{pair}",
    summary="Show the scenarios",
    responses={200: {"content": CONTENT, "headers": QUOTA_HEADERS}, **_ERRORS},
    response_model=schemas.Scenarios,
)
async def show_scenarios(request: Request, pair: PairDep, service: ForecastsDep, form: Format = "json") -> Response:
    """Up to 1,000 equally likely joint paths of close, highest high and lowest low. Counted as one call."""
    forecast = service.current(pair).forecast
    async with counted_call(request) as grant:
        head, headers = _head(service, forecast), grant.headers()

        def write() -> Response:
            paths = forecast.scenarios()
            if form != "json":
                return file_response(_table(forecast, paths), form, headers)
            close, high, low = ([round_prices(row) for row in paths[:, target]] for target in range(paths.shape[1]))
            answer = schemas.Scenarios(**head, closes_at=_closes_at(forecast), close=close, high=high, low=low)
            return Response(answer.model_dump_json(), headers=headers, media_type="application/json")

        return await asyncio.to_thread(write)


def _head(service: ForecastService, forecast: Forecast) -> dict[str, Any]:
    return schemas.Answer.head(forecast, service.candles.now(), simulated=service.candles.simulated)


def _chance(found: Probabilities, hour: int, column: int) -> schemas.Chance:
    chance = found.at(hour - 1, column)
    return schemas.Chance(probability=round(chance.value, 5), bound=chance.bound)


def _closes_at(forecast: Forecast) -> list[Any]:
    return [forecast.issued_at + hour * HOUR for hour in range(1, HORIZON + 1)]


def _tail(gains: Floats) -> list[schemas.TailRisk]:
    return [schemas.TailRisk(**asdict(tail_risk(gains, level))) for level in shown_levels(len(gains))]


def _joint_gains(forecasts: dict[str, Forecast], sizes: dict[str, float], hours: int) -> dict[str, Floats]:
    """Gain of each holding in the scenarios that all pairs share."""
    gains = {}
    if len(forecasts) > 1:
        ranked = {name: each.ranks for name, each in forecasts.items() if each.ranks is not None}
        common = dict(zip(ranked, align_ranks(list(ranked.values())), strict=True)) if ranked else {}
        forecasts = {name: replace(each, ranks=common.get(name)) for name, each in forecasts.items()}
    for name, forecast in forecasts.items():
        size = sizes[name]
        position = Position(abs(size), "long" if size > 0 else "short")
        gains[name], _ = results(forecast.scenarios()[:, :, :hours], forecast.last_close, position)
    return gains


def _table(forecast: Forecast, paths: Floats) -> "pa.Table":
    import pyarrow as pa

    scenarios = np.repeat(range(len(paths)), HORIZON)
    prices = (round_prices(paths[:, target].ravel()) for target in range(paths.shape[1]))
    columns = [scenarios, _closes_at(forecast) * len(paths), *prices]
    return pa.table(columns, names=["scenario", "closes_at", "close", "high", "low"])

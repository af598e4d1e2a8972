"""Past forecasts and what came true."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query

from make_us_rich.domain.forecast import HORIZON
from serving.dependencies import PairName, ServedDep, StoresDep
from serving.errors import NoForecastError, answers
from serving.schemas import PastForecasts

router = APIRouter(tags=["forecasts"])


@router.get("/forecasts/{pair}", responses=answers(404, 422, 503))
async def forecasts(
    pair: PairName,
    _served: ServedDep,
    stores: StoresDep,
    horizon: Annotated[int, Query(ge=1, le=HORIZON, description="Hours ahead")] = 1,
) -> PastForecasts:
    """A week of forecasts at one horizon with their outcomes; `source` says where they are from."""
    found = await asyncio.to_thread(stores.past.at, pair, horizon)
    if found is None:
        raise NoForecastError(
            stores.forecasts.problem(pair) or f"{pair}: there are no candles yet", "try again in a minute"
        )
    return found

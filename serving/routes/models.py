"""What is served, and which date's champions are."""

from datetime import UTC, date, datetime, time
from typing import Annotated

from fastapi import APIRouter, Query

from make_us_rich.domain.errors import ArtifactError
from serving.dependencies import AdminUser, PairName, RefresherDep, ServedDep, StoresDep
from serving.errors import CannotRollBackError, answers
from serving.schemas import Loaded, ModelAnswer, Pairs, PairServed, Promoted
from serving.store.refreshing import Refresher
from serving.store.store import Shelf
from serving.store.stores import Stores

router = APIRouter(tags=["models"])

AsOf = Annotated[date | None, Query(alias="date", description="A day, UTC, until its end; today's unless given")]


@router.get("/pairs")
async def pairs(stores: StoresDep) -> Pairs:
    """Every configured pair, and what is served for it."""
    return Pairs(pairs=[_pair(stores, pair) for pair in stores.models.pairs], as_of=stores.models.shelf.as_of)


@router.get("/check_models_number")
async def check_models_number(stores: StoresDep) -> Loaded:
    """Number and names of the loaded models."""
    return _loaded(stores.models.shelf)


@router.get("/models/{pair}", responses=answers(404, 422, 503))
async def model(pair: PairName, served: ServedDep) -> ModelAnswer:
    """The champion of a pair: its manifest, its card, and those before it."""
    return ModelAnswer(
        pair=pair,
        version=served.version,
        architecture=served.manifest.architecture,
        loaded_at=served.loaded_at,
        manifest=served.manifest.model_dump(mode="json"),
        card=served.card,
        promotions=[Promoted(**each.model_dump(exclude={"demoted"})) for each in served.promotions],
    )


@router.put("/update_models", responses=answers(401, 403, 422, 503))
async def update_models(_admin: AdminUser, refresher: RefresherDep) -> Loaded:
    """Load the newest champions now; they are also picked up on their own within a minute."""
    return _loaded(await refresher.reload())


@router.put("/update_date", responses=answers(401, 403, 409, 422, 503))
async def update_date(_admin: AdminUser, refresher: RefresherDep, day: AsOf = None) -> Pairs:
    """Serve the champions as of a date, until another is asked for or this process ends; none: today's."""
    if day is None:
        await refresher.serve_as_of(None)
    else:
        await _roll_back(refresher, day)
    return await pairs(refresher.stores)


async def _roll_back(refresher: Refresher, day: date) -> None:
    try:
        await refresher.serve_as_of(datetime.combine(day, time.max, UTC))
    except ArtifactError as exc:
        message, _, remedy = str(exc).partition("; ")
        raise CannotRollBackError(message, remedy or "choose a later date") from exc


def _loaded(shelf: Shelf) -> Loaded:
    return Loaded(number=len(shelf.served), models=list(shelf.served))


def _pair(stores: Stores, pair: str) -> PairServed:
    served, issued = stores.models.get(pair), stores.forecasts.get(pair)
    return PairServed(
        pair=pair,
        version=served.version if served else None,
        architecture=served.manifest.architecture if served else None,
        issued_at=issued.forecast.issued_at if issued else None,
        problem=stores.forecasts.problem(pair),
    )

"""Whether the process lives, and whether it is of use."""

from fastapi import APIRouter, Response
from pydantic import BaseModel

from serving.dependencies import AccountsDep, StoresDep
from serving.store.stores import Stores

router = APIRouter(tags=["health"])


class Alive(BaseModel):
    """The process answers."""

    status: str = "alive"


class Ready(BaseModel):
    """Whether it can be used, and what is not as it should be."""

    ready: bool
    reasons: list[str]
    """Why it is not ready; empty where it is."""
    degraded: list[str]
    """What is not the newest, though something older is served."""
    database: bool
    """Whether the database of accounts and quotas answers; where it does not, the last reason says why."""


@router.get("/healthz")
async def healthz() -> Alive:
    """Alive."""
    return Alive()


@router.get("/readyz", responses={503: {"model": Ready, "description": "Not ready, with the reasons"}})
async def readyz(response: Response, stores: StoresDep, accounts: AccountsDep) -> Ready:
    """Ready once a model is loaded, candles have been asked for, and the database answers."""
    ready = await readiness(stores, accounts)
    response.status_code = 200 if ready.ready else 503
    return ready


async def readiness(stores: Stores, accounts: AccountsDep) -> Ready:
    """What a probe is told."""
    problem = await accounts.problem()
    reasons = [*_store_reasons(stores), *filter(None, [problem])]
    problems = {pair: stores.forecasts.problem(pair) for pair in stores.models.pairs}
    others = {*stores.models.shelf.problems.values(), *filter(None, problems.values())}
    return Ready(ready=not reasons, reasons=reasons, degraded=sorted(others - set(reasons)), database=problem is None)


def _store_reasons(stores: Stores) -> list[str]:
    shelf = stores.models.shelf
    if not shelf.served:
        return sorted(set(shelf.problems.values())) or ["no model has been loaded yet"]
    return [] if stores.candles.asked else ["the exchange has not been asked for candles yet"]

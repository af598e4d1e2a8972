"""The way back to an earlier version of a pair, for admins."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from make_us_rich.champions import roll_back
from make_us_rich.domain.champion import ChampionPointer, Promotion
from make_us_rich.domain.errors import ArtifactError
from serving.accounts.dependencies import logged_in_admin
from serving.dependencies import PairName, RefresherDep, StoresDep
from serving.errors import CannotRollBackError
from serving.schemas import ChampionChanged, Promoted, Versions

# On the router, so that no endpoint can be without it.
router = APIRouter(prefix="/admin/pairs", tags=["admin"], dependencies=[Depends(logged_in_admin)])

Version = Annotated[
    str | None,
    Query(
        pattern=r"^\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d\.\d{3}Z$",
        description="To serve again; the one that was served before the present one unless given",
        examples=["2026-11-22T22.26.43.877Z"],
    ),
]


@router.get("/{pair}/champion")
async def versions(pair: PairName, stores: StoresDep) -> Versions:
    """The pair's champion as the store has it now, and the versions that it can be rolled back to."""
    pointer = await asyncio.to_thread(stores.models.pointer, pair)
    earlier = [Promoted(**each.model_dump(include=set(Promoted.model_fields))) for each in _earlier(pointer)]
    return Versions(pair=pair, version=pointer.version, earlier=earlier)


@router.put("/{pair}/champion")
async def change(pair: PairName, refresher: RefresherDep, request: Request, version: Version = None) -> ChampionChanged:
    """Make an earlier version the champion again, as `kedro rollback` does; it is checked first, and served at once.

    Other processes pick it up within a minute. While a run holds the pair, the answer is 409.
    """
    try:
        told = await asyncio.to_thread(roll_back, pair, version, request.app.state.settings.env)
    except ArtifactError as exc:
        message, _, _ = str(exc).partition("; ")
        raise CannotRollBackError(message, f"choose one of GET /api/v1/admin/pairs/{pair}/champion") from exc
    shelf = await refresher.reload()
    served = shelf.served.get(pair)
    return ChampionChanged(pair=pair, version=served.version if served else None, message=told)


def _earlier(pointer: ChampionPointer) -> list[Promotion]:
    """The last time that each other version became the champion, the newest first."""
    last = {each.version: each for each in pointer.promotions if each.version != pointer.version}
    return sorted(last.values(), key=lambda each: each.at, reverse=True)

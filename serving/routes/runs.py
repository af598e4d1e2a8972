"""What the hourly job has done lately, for admins."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from serving.accounts.dependencies import logged_in_admin
from serving.dependencies import StoresDep
from serving.schemas import LastRuns, RunEnded

# On the router, so that no endpoint can be without it.
router = APIRouter(prefix="/admin", tags=["admin"], dependencies=[Depends(logged_in_admin)])

Most = Annotated[int, Query(ge=1, le=500, description="No more than these, the newest")]


@router.get("/runs")
async def last_runs(stores: StoresDep, most: Most = 25) -> LastRuns:
    """The last hourly runs of all pairs, the newest first: when they ended, how, and what they said last."""
    ended = await asyncio.to_thread(stores.runs.newest, most)
    runs = [RunEnded.model_validate(run, from_attributes=True) for run in ended.runs]
    return LastRuns(runs=runs, problems=ended.problems)

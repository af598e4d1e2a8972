"""What endpoints are given.

All are coroutines, though most wait for nothing: FastAPI sends a plain function to a thread and waits for that, which
takes longer than what is done here.
"""

from typing import Annotated

from fastapi import Depends, Path, Request

from serving.accounts.dependencies import AccountsDep, AdminUser
from serving.errors import NoModelError, UnservedPairError
from serving.store.refreshing import Refresher
from serving.store.served import Served
from serving.store.stores import Stores

__all__ = ["AccountsDep", "AdminUser", "PairName", "RefresherDep", "ServedDep", "StoresDep", "configured"]


async def _stores(request: Request) -> Stores:
    stores: Stores = request.app.state.stores
    return stores


async def _refresher(request: Request) -> Refresher:
    refresher: Refresher = request.app.state.refresher
    return refresher


StoresDep = Annotated[Stores, Depends(_stores)]
RefresherDep = Annotated[Refresher, Depends(_refresher)]

PairPath = Annotated[str, Path(max_length=25, description="Such as `btc_usdt`", examples=["btc_usdt"])]


def configured(stores: Stores, name: str) -> str:
    """The name of a pair that is served.

    Raises:
        UnservedPairError: It is misspelt or not configured.
    """
    pair = name.lower()
    if pair not in stores.models.pairs:
        raise UnservedPairError(pair)
    return pair


async def _pair(pair: PairPath, stores: StoresDep) -> str:
    return configured(stores, pair)


PairName = Annotated[str, Depends(_pair)]
"""The configured pair that the path names; 404 otherwise."""


async def _served(pair: PairName, stores: StoresDep) -> Served:
    served = stores.models.get(pair)
    if served is None:
        raise NoModelError(
            stores.models.shelf.problems.get(pair) or f"{pair}: no model has been loaded yet", "try later"
        )
    return served


ServedDep = Annotated[Served, Depends(_served)]
"""The champion of the pair that the path names; 404 or 503 otherwise."""

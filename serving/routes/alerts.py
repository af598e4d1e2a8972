"""Endpoints for alerts: one's rules, and the link that stops one."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import HTMLResponse

from make_us_rich.client.alerts import Alert, NewAlert
from serving.accounts import users
from serving.alerts.service import AlertService
from serving.dependencies import AccountsDep, CurrentUser

router = APIRouter(prefix="/alerts", tags=["alerts"])

_PAGE = "<!doctype html><meta name=viewport content='width=device-width'><title>Make Us Rich</title>"
_HTML: dict[int | str, dict[str, Any]] = {200: {"content": {"text/html": {}}}}


async def _alerts(request: Request) -> AlertService:
    alerts: AlertService = request.app.state.alerts
    alerts.require_key()
    return alerts


AlertsDep = Annotated[AlertService, Depends(_alerts)]
Identity = Annotated[str, Path(pattern="^[0-9a-f]{32}$")]
Token = Annotated[str, Query(pattern="^[A-Za-z0-9_=-]{1,500}$", description="As in the link of a message")]


@router.get("", summary="List your alerts")
async def list_alerts(user: CurrentUser, _enabled: AlertsDep, accounts: AccountsDep) -> list[Alert]:
    """List the rules of the user, oldest first, each with its last message; not counted."""
    return await accounts.database.read(lambda session: users.list_alerts(session, user.id))


@router.post("", summary="Add an alert", status_code=201)
async def add_alert(user: CurrentUser, new: NewAlert, alerts: AlertsDep) -> Alert:
    """Add a rule, up to 20; not counted.

    It is evaluated after each new forecast, and sends at most one message an hour. The host of the destination must
    have a public address.
    """
    return await alerts.add(user.id, new)


@router.get("/stop", summary="Open the link that stops an alert", responses=_HTML)
async def open_link(token: Token, alerts: AlertsDep) -> HTMLResponse:
    """A page that stops the alert as soon as a browser opens it.

    Fetching it changes nothing, because chats and mail filters fetch every link of a message.
    """
    alerts.check_link(token)
    form = "<form method=post><button>Stop this alert</button></form><script>document.forms[0].submit()</script>"
    return HTMLResponse(_PAGE + form)


@router.post("/stop", summary="Stop an alert by its link", responses=_HTML)
async def stop_alert(token: Token, alerts: AlertsDep) -> HTMLResponse:
    """Delete the rule of a link, without a login."""
    await alerts.stop(token)
    return HTMLResponse(f"{_PAGE}<p>This alert is stopped.</p>")


@router.delete("/{identity}", summary="Delete an alert", status_code=204)
async def delete_alert(identity: Identity, user: CurrentUser, alerts: AlertsDep) -> None:
    """Delete a rule of the user."""
    await alerts.remove(user.id, identity)

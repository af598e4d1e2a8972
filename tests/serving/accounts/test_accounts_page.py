"""docs/accounts.md explains every setting, with its default, and every endpoint."""

import re
from pathlib import Path

from fastapi.routing import APIRoute

from serving.accounts.settings import AccountsSettings
from serving.routes import accounts, admin, champions, runs

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "accounts.md").read_text()


def test_every_setting_is_there_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `MAKE_US_RICH_(\w+)` \| `(.+?)` \|", PAGE, re.MULTILINE))
    fields = AccountsSettings.model_fields
    defaults = {name: str(fields[name].default) for name in fields}
    defaults["database_url"] = fields["database_url"].default.get_secret_value()
    assert {name.lower(): default for name, default in rows.items()} == defaults


def test_every_endpoint_is_there() -> None:
    told = {f"{method} {path}" for method, path in re.findall(r"`(GET|POST|PUT|DELETE) (/api/v1/[^`?]+)[^`]*`", PAGE)}
    routes = [
        route for router in (accounts.router, admin.router, champions.router, runs.router) for route in router.routes
    ]
    there = {f"{m} /api/v1{r.path}" for r in routes if isinstance(r, APIRoute) for m in r.methods}
    assert told == there

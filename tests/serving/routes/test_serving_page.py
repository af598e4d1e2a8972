"""docs/serving.md explains every setting, with its default, every endpoint and every code."""

import re
from pathlib import Path

from serving import errors
from serving.accounts import errors as account_errors
from serving.accounts.settings import AccountsSettings
from serving.errors_base import ServingError
from serving.settings import Settings

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "serving.md").read_text()


def test_every_setting_is_there_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `MAKE_US_RICH_(\w+)` \| `(.+?)` \|", PAGE, re.MULTILINE))
    own = {name: field for name, field in Settings.model_fields.items() if name not in AccountsSettings.model_fields}

    told = {name.lower(): default for name, default in rows.items()}
    assert told == {name: str(float(f.default) if f.annotation is float else f.default) for name, f in own.items()}


def test_every_endpoint_is_there(api) -> None:
    paths = api.client.app.openapi()["paths"]
    ours = {path for path in paths if not path.startswith("/api/v1") or _ours(paths[path])}

    told = {path.split("?")[0] for path in re.findall(r"(?:GET|PUT|POST) (/[^`\s]+)", PAGE)}
    missing = {path for path in ours if path not in told and path.removeprefix("/api/v1") not in told}
    assert missing <= {"/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/{pair}/ready"}


def _ours(methods: dict[str, dict[str, list[str]]]) -> bool:
    return not any({"accounts", "admin"} & set(each["tags"]) for each in methods.values())


def test_every_code_is_there() -> None:
    kinds = [
        kind
        for module in (errors, account_errors)
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, ServingError)
    ]
    codes = {kind.code for kind in kinds} | {"store_unavailable", "invalid_request"}

    assert {code for code in codes if f"`{code}`" not in PAGE} == set()


def test_405_names_what_is_allowed(api) -> None:
    answer = api.client.delete("/api/v1/predict")

    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "PUT"}
    assert answer.json()["error"]["code"] == "method_not_allowed"

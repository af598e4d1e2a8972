"""HEAD, CORS, what is served, the OpenAPI description, and the pages that list every endpoint and every error code."""

import json
import re
from pathlib import Path

from serving.errors import STATUS
from synthetic import VERSION

from .conftest import PREDICT

DOCS = Path(__file__).resolve().parents[3] / "docs"
DOCUMENTED = (DOCS / "api.md").read_text() + (DOCS / "accounts.md").read_text()
PAGE = "https://charts.example"


def test_probes_answer_head_and_elsewhere_it_is_405_and_not_counted(api) -> None:
    probes = [api.client.head(f"{prefix}/{name}z") for prefix in ("", "/api/v1") for name in ("health", "ready")]
    assert {(answer.status_code, answer.content) for answer in probes} == {(200, b"")}
    bearer = api.bearer()
    paths = [PREDICT, "/api/v1/stream/btc_usdt", "/api/v1/pairs", "/v2/models/btc_usdt", "/metrics", "/"]

    answers = [api.client.head(path, headers=bearer) for path in paths]
    assert {answer.status_code for answer in answers} == {405}
    assert all(answer.headers["allow"] for answer in answers)
    assert api.client.put(PREDICT, headers=bearer).headers["x-ratelimit-remaining"] == "999"


def test_a_page_of_a_named_origin_alone_may_call_the_api(start_api, api) -> None:
    client = start_api(cors_origins=f"https://other.example, {PAGE}").client
    asked = {"Origin": PAGE, "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "Authorization"}
    preflight = client.options(PREDICT, headers=asked)
    answer = client.put(PREDICT, headers={"Origin": PAGE})

    assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (200, PAGE)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (401, PAGE)
    exposed = answer.headers["access-control-expose-headers"].split(", ")
    assert {"Link", "X-RateLimit-Remaining"} <= set(exposed)
    refused = client.options(PREDICT, headers=asked | {"Origin": "https://evil.example"})
    assert refused.status_code == 400
    without_the_setting = api.client.put(PREDICT, headers={"Origin": PAGE})
    assert not [name for name in without_the_setting.headers if name.startswith("access-control")]


def test_the_documentation_has_every_endpoint_error_code_and_schema(api) -> None:
    file = json.loads((DOCS / "reference/openapi.json").read_text())
    assert file == api.client.get("/openapi.json").json(), "call make openapi"

    paths = api.client.app.openapi()["paths"]
    listed = set(re.findall(r"(?:GET|PUT|POST|DELETE) (/[^`\s?]+)", DOCUMENTED))
    missing = {path for path in paths if path not in listed and path.removeprefix("/api/v1") not in listed}

    assert missing <= {"/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/{pair}/ready"}
    assert {code for code in STATUS if f"`{code}`" not in DOCUMENTED} == set()


def test_a_pair_without_a_model_says_why_and_an_unknown_one_is_404(api) -> None:
    served, without_model = api.client.get("/api/v1/pairs").json()["pairs"]

    assert served == {
        "pair": "btc_usdt",
        "simulated": True,
        "version": VERSION,
        "architecture": "baseline",
        "issued_at": "2025-03-01T10:00:00Z",
        "problem": None,
    }
    assert without_model["version"] is None
    assert without_model["problem"].startswith("eth_usdt: no model is published")
    for path in ("/api/v1/models/{}", "/api/v1/forecasts/{}", "/v2/models/{}", "/v2/models/{}/ready"):
        missing, unknown = (api.client.get(path.format(pair)) for pair in ("eth_usdt", "doge_usdt"))
        assert (missing.status_code, unknown.status_code) == (503, 404)
        assert '"no_model"' in missing.text
        assert '"unknown_pair"' in unknown.text

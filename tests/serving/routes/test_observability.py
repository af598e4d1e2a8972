"""Readiness, and metrics: rules and dashboard ask for what the running API exports."""

import json
import logging
import re
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from live_files import write_live
from serving.logs import PlainFormatter

from ..conftest import NOW

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"
DASHBOARD = json.loads((DEPLOY / "grafana/dashboard.json").read_text())
RULES = [
    rule for group in yaml.safe_load((DEPLOY / "prometheus/rules.yml").read_text())["groups"] for rule in group["rules"]
]
# What Grafana puts in for a variable.
QUERIES = [target["expr"].replace("$pair", ".*") for panel in DASHBOARD["panels"] for target in panel["targets"]]
EXPRESSIONS = [*(rule["expr"] for rule in RULES), *QUERIES]


def test_it_is_ready_with_a_model_and_a_database_and_else_says_what_to_run(start_api, place) -> None:
    pointer = place.project / "data/06_models/btc_usdt/champion.json"
    api = start_api()
    expected = {"ready": True, "reasons": [], "degraded": [], "database": True}
    for path in ("/readyz", "/api/v1/readyz"):
        answer = api.client.get(path)
        assert (answer.status_code, answer.json()) == (200, expected)

    pointer.unlink()
    answer = start_api().client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["reasons"] == ["btc_usdt: no model is published; run the pair: kedro run --pipeline=btc_usdt"]


def test_expressions_name_what_the_api_exports_and_the_dashboard_shows_all_of_it(start_api, place) -> None:
    write_live(place.project, NOW)
    api = start_api()
    api.client.get("/api/v1/models/btc_usdt")
    api.client.get("/nowhere/42")
    text = api.client.get("/metrics").text
    for line in (
        'requests_total{method="GET",route="/api/v1/models/{pair}",status="200"} 1.0',
        'requests_total{method="ANY",route="unmatched",status="404"} 1.0',
        "models 1.0",
        'live_skill{pair="btc_usdt"} 0.021',
        'live_coverage{interval="80",pair="btc_usdt"} 0.79',
        'live_forecasts{pair="btc_usdt"} 30.0',
        'live_missed_forecasts{pair="btc_usdt"} 3.0',
        'live_unexplained_missed_forecasts{pair="btc_usdt"} 1.0',
        'live_drift{pair="btc_usdt"} 0.4',
        'live_drifted{pair="btc_usdt"} 0.0',
    ):
        assert f"make_us_rich_{line}" in text.splitlines()

    families = list(text_string_to_metric_families(text))
    exported = {name for family in families for name in (family.name, *(sample.name for sample in family.samples))}
    labels = {label for family in families for sample in family.samples for label in sample.labels}
    assert set(re.findall(r"make_us_rich_\w+", " ".join(EXPRESSIONS))) <= exported
    assert set(re.findall(r"(\w+)(?:=~|!~|=\")", " ".join(EXPRESSIONS))) <= {*labels, "job", "alertstate"}
    shown = {
        name.removesuffix("_bucket").removesuffix("_total") for name in re.findall(r"make_us_rich_\w+", str(QUERIES))
    }
    # When a counter began is no figure of its own, and drift is shown as its index.
    hidden = {family.name for family in families if not family.name.endswith("_created")} - shown
    assert hidden == {"make_us_rich_live_drifted"}


def test_a_path_cannot_forge_fields_or_lines_of_the_log(api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "serving.access")
    forged = "%0A10:00:00%20INFO%20forged%1B[2J%0D%E2%80%A8%20status=200"
    for path in ("/api/v1/pairs", f"/x{forged}", "/bearer%20s3cr3t%0Atoken=s3cr3t"):
        api.client.get(path)
    lines = [PlainFormatter().format(record).partition(" ms=")[0] for record in caplog.records]

    assert lines == [
        "request method=GET path=/api/v1/pairs status=200",
        f"request method=GET path=/x{forged} status=404",
        "request method=GET path=/bearer%20***%0Atoken=*** status=404",
    ]

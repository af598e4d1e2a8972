"""The whole API against its own description, and one shape of errors for each part."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import product
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable

from make_us_rich.client.schemas import Problem
from processes import TIMEOUT, ApiProcess, published_api
from serving.errors import INFERENCE_PREFIX, InferenceErrorResponse

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import schemathesis
    from schemathesis import GenerationMode
    from schemathesis.checks import load_all_checks
    from schemathesis.specs.openapi import checks

load_all_checks()
CHECKED = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
]
ENDLESS = "/api/v1/stream/{pair}"  # Of an authorised client.
ADMINS = ("/api/v1/admin/", "/api/v1/update_")
KNOWN = {"name": "ada", "role": "member", "pair": "btc_usdt"}
EXAMPLES = 2


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, new_database: Callable[[], str]) -> Iterator[ApiProcess]:
    """The API with a forecast, as a process."""
    limits = {"REGISTRATIONS": 10_000, "LOGIN_ATTEMPTS": 10_000, "MONTHLY_CALLS": 100_000, "SECRET_KEY": "0" * 43 + "="}
    with published_api(tmp_path_factory.mktemp("api"), DATABASE_URL=new_database(), **limits) as started:
        yield started


def test_it_answers_as_it_says(running: ApiProcess) -> None:
    schema = schemathesis.openapi.from_url(f"{running.url}/openapi.json")
    callers, asked = ({}, running.bearer("ada")), 0
    for found in schema.get_all_operations():
        operation = found.ok()
        for headers, mode in product(callers, GenerationMode):
            if not (headers and operation.path == ENDLESS):
                _check(operation, mode, headers)
        asked += 1

    assert asked > 25


def test_it_answers_an_admin_as_it_says(running: ApiProcess) -> None:
    schema = schemathesis.openapi.from_url(f"{running.url}/openapi.json")
    root = running.login("root", admin=True)
    admitted = {}
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path.startswith(ADMINS):
            _check(operation, GenerationMode.NEGATIVE, root)
            answers = set(_check(operation, GenerationMode.POSITIVE, root, KNOWN))
            admitted[operation.label] = answers & {200, 204}
            assert not answers & {401, 403}

    assert len(admitted) > 12
    # Of one version there is none to roll back to.
    assert [label for label, good in admitted.items() if not good] == ["PUT /api/v1/admin/pairs/{pair}/champion"]


def _check(
    operation: Any, mode: GenerationMode, headers: dict[str, str], known: Mapping[str, str] = MappingProxyType({})
) -> list[int]:
    """Send requests as the description allows, or against it; with the known parts of paths. Returns the statuses."""
    seen = []

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: Any) -> None:
        for name in set(known) & set(case.path_parameters):
            case.path_parameters[name] = known[name]
        response = case.call(headers=headers, timeout=TIMEOUT)
        case.validate_response(response, checks=CHECKED)
        if response.status_code >= 400 and not operation.path.endswith(("readyz", "ready")):
            shape = InferenceErrorResponse if operation.path.startswith(INFERENCE_PREFIX) else Problem
            shape.model_validate_json(response.content)
        seen.append(response.status_code)

    with suppress(Unsatisfiable):  # Where there is nothing to get wrong.
        ask()
    return seen

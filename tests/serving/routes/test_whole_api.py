"""The whole API against its own description, and one shape of errors for each part."""

import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import product
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable

from serving.errors import INFERENCE_PREFIX, ErrorAnswer, InferenceErrorAnswer
from serving_process import PATIENCE, ApiProcess

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
EXAMPLES = 4


@pytest.fixture
def running(process_of: Callable[..., ApiProcess]) -> ApiProcess:
    """The API with a forecast, as a process."""
    api = process_of(registrations=10_000, login_attempts=10_000, monthly_calls=100_000).start()
    api.wait("/readyz")
    return api


def test_it_answers_as_it_says(running: ApiProcess) -> None:
    schema = schemathesis.openapi.from_url(f"{running.url}/openapi.json")
    nobody: dict[str, str] = {}
    callers = [nobody, running.bearer("ada"), running.bearer("root", admin=True)]
    asked = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        for headers, mode in product(callers, GenerationMode):
            if not (headers and operation.path == ENDLESS):
                _try_out(operation, mode, headers)
        asked += 1

    assert asked > 25


def test_it_answers_an_admin_as_it_says(running: ApiProcess) -> None:
    schema = schemathesis.openapi.from_url(f"{running.url}/openapi.json")
    running.bearer("ada")
    root = running.login("root", admin=True)
    admitted = {}
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path.startswith(ADMINS):
            _try_out(operation, GenerationMode.NEGATIVE, root)
            answers = set(_try_out(operation, GenerationMode.POSITIVE, root, KNOWN))
            admitted[operation.label] = answers & {200, 204}
            assert not answers & {401, 403}

    assert len(admitted) > 12
    # Of one version there is none to roll back to.
    assert [label for label, good in admitted.items() if not good] == ["PUT /api/v1/admin/pairs/{pair}/champion"]


def _try_out(
    operation: Any, mode: GenerationMode, headers: dict[str, str], known: Mapping[str, str] = MappingProxyType({})
) -> list[int]:
    """Ask as the description allows, or against it; the statuses of the answers.

    Args:
        operation: Of the description.
        mode: Whether what is asked is to be right.
        headers: Who asks.
        known: Parts of paths that are to be these and no others.
    """
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
        response = case.call(headers=headers, timeout=PATIENCE)
        case.validate_response(response, checks=CHECKED)
        if response.status_code >= 400 and not operation.path.endswith(("readyz", "ready")):
            shape = InferenceErrorAnswer if operation.path.startswith(INFERENCE_PREFIX) else ErrorAnswer
            shape.model_validate_json(response.content)
        seen.append(response.status_code)

    with suppress(Unsatisfiable):  # Where there is nothing to get wrong.
        ask()
    return seen

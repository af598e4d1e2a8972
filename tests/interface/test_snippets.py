"""The code to copy calls the API."""

import ast
import os
import shutil
import subprocess
import sys

import pytest

from interface import snippets
from interface.api_client import ApiClient
from serving_process import ApiProcess

TEXTS = dict(snippets.ALL)
COMMANDS = {
    "curl": ["bash", "-c"],
    "Python": [sys.executable, "-c"],
    "JavaScript": ["node", "--input-type=module", "-e"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_code_answers_with_a_forecast(api: ApiProcess, member: ApiClient, name: str) -> None:
    needed = "curl" if name == "curl" else COMMANDS[name][0]
    if shutil.which(needed) is None:
        pytest.skip(f"{needed} is not on this machine")
    code = snippets.fill(TEXTS[name], snippets.Place(api.url, "btc_usdt"))
    token = {"MAKE_US_RICH_TOKEN": member.rotate_token(), "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    done = subprocess.run(
        [*COMMANDS[name], code], env={**os.environ, **token}, capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 0, done.stderr
    assert "2025-03-01T11:00:00Z" in done.stdout
    assert member.me().used == 1


def test_the_python_needs_nothing_but_python() -> None:
    tree = ast.parse(snippets.fill(TEXTS["Python"], snippets.Place("http://127.0.0.1:8000", "btc_usdt")))
    imported = {
        alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }

    assert imported <= sys.stdlib_module_names

"""Parameters are checked before any node runs, and the pairs among them."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from make_us_rich import project_parameters
from make_us_rich.domain.errors import ParameterError, UnknownPairError
from make_us_rich.domain.pair import Pair
from make_us_rich.project_parameters import check_parameters, configure_pairs, configured_pairs
from synthetic import configured_parameters, lay_out

CONFIGURED = configured_parameters()


def changed(path: str, value: Any) -> dict[str, Any]:
    """The configured parameters with another value at a path such as ``training.seed``."""
    parameters = copy.deepcopy(CONFIGURED)
    *folders, last = path.split(".")
    level = parameters
    for folder in folders:
        level = level[folder]
    level[last] = value
    return parameters


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("historydays", 3),
        ("history_days", "many"),
        ("history_days", 0),
        ("pairs", "btc_usdt"),
        ("pairs", []),
        ("exchange_url", "api.binance.com"),
        ("architectures", ["baseline"]),
        ("backtest.validation_fraction", 1.5),
        ("training.lstm_levels.hiden_size", 3),
        ("converting.rtol", -1),
        ("exporting.max_versions", 0),
    ],
)
def test_a_wrong_parameter_is_refused_by_its_full_path_with_a_remedy(path: str, value: Any) -> None:
    with pytest.raises(ParameterError, match=rf"^parameter {path}: .*; correct it in conf/ or in --params$"):
        check_parameters(changed(path, value))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("pairs", ["eth_usdt", "btcusdt"], "'btcusdt' is not a pair; write base and quote as in 'btc_usdt'"),
        ("architectures", "baseline+gru", "parameter architectures: 'gru' is unknown; choose from baseline"),
    ],
)
def test_an_unknown_name_is_refused_with_those_that_are_known(path: str, value: Any, message: str) -> None:
    with pytest.raises((ParameterError, UnknownPairError), match=message):
        check_parameters(changed(path, value))


def test_the_pairs_are_those_of_the_session_or_else_of_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(project_parameters, "_pairs", [])
    monkeypatch.delenv("KEDRO_ENV", raising=False)
    project = lay_out(tmp_path)
    (project / "conf/base/parameters.yml").write_text(yaml.safe_dump(changed("pairs", ["sol_usdt"])))
    for file in (project / "conf/base").glob("parameters_*.yml"):
        file.unlink()
    monkeypatch.chdir(project)
    assert configured_pairs() == [Pair("sol", "usdt")]

    configure_pairs(["eth_usdt", "btc_eur"])
    assert configured_pairs() == [Pair("eth", "usdt"), Pair("btc", "eur")]

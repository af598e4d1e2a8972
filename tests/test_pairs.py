from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from make_us_rich import pairs
from make_us_rich.domain.errors import UnknownPairError
from make_us_rich.domain.pair import Pair
from synthetic import REPO, lay_out


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(pairs, "_configured", None)
    monkeypatch.delenv("KEDRO_ENV", raising=False)
    return


def test_the_sessions_pairs_are_remembered() -> None:
    pairs.configure(["eth_usdt", "btc_eur"])

    assert pairs.configured() == [Pair("eth", "usdt"), Pair("btc", "eur")]


def test_a_later_session_replaces_them() -> None:
    pairs.configure(["eth_usdt"])
    pairs.configure(["btc_eur"])

    assert pairs.configured() == [Pair("btc", "eur")]


def test_outside_a_session_they_are_those_of_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = yaml.safe_load((REPO / "conf/base/parameters.yml").read_text()) | {"pairs": ["sol_usdt"]}
    project = lay_out(tmp_path)
    (project / "conf/base/parameters.yml").write_text(yaml.safe_dump(parameters))
    monkeypatch.chdir(project)

    assert pairs.configured() == [Pair("sol", "usdt")]


def test_a_misspelt_pair_is_refused() -> None:
    with pytest.raises(UnknownPairError, match="'btcusdt' is not a pair"):
        pairs.configure(["btcusdt"])


def test_three_pairs_are_configured() -> None:
    configured = yaml.safe_load((REPO / "conf/base/parameters.yml").read_text())["pairs"]

    assert configured == ["btc_usdt", "eth_usdt", "chz_usdt"]

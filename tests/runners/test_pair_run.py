import pytest

from make_us_rich.runners.outcome import Outcome, PairsFailedError, killed, refuse_failures, tabulate
from make_us_rich.runners.pair_run import PairRun, is_narrowed, is_of_all, own_pipelines


def a_run(**fields: object) -> PairRun:
    return PairRun("btc_usdt", ("btc_usdt",), "/project", None, "conf", {"history_days": 90}, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("asked", "own"),
    [
        (["all"], ("btc_usdt",)),
        (["__default__"], ("btc_usdt",)),
        (["search_all"], ("search_btc_usdt",)),
        (["btc_usdt", "eth_usdt"], ("btc_usdt",)),
        (["search_btc_usdt", "all"], ("search_btc_usdt", "btc_usdt")),
        (["wbtc_usdt"], ()),
    ],
)
def test_a_pairs_share_of_the_pipelines_that_were_asked_for(asked: list[str], own: tuple[str, ...]) -> None:
    assert own_pipelines(asked, "btc_usdt") == own


def test_all_stands_for_a_pair_only_as_a_word() -> None:
    assert [is_of_all(name) for name in ("all", "search_all", "ball_usdt", "small")] == [True, True, False, False]


def test_a_parameter_of_one_run_leaves_the_others_and_the_run_as_they_are() -> None:
    run = a_run()

    assert run.having(exchange_weight=5).parameters == {"history_days": 90, "exchange_weight": 5}
    assert run.parameters == {"history_days": 90}


@pytest.mark.parametrize("option", ["tags", "node_names", "from_nodes", "to_outputs", "namespaces"])
def test_an_option_that_chooses_nodes_narrows_a_run(option: str) -> None:
    assert is_narrowed({option: ("training",)})
    assert not is_narrowed({option: ()})


def test_the_table_has_the_failures_last() -> None:
    table = tabulate(
        [Outcome("btc_usdt", "no candles", failed=True, seconds=1.25), Outcome("eth_usdt", "published v1")]
    )

    assert table.splitlines() == [
        "pair        took    what came of it",
        "eth_usdt     0.0 s  published v1",
        "btc_usdt     1.2 s  FAILED  no candles",
        "",
        "2 pairs, 1 published; 0 s computed, at most 0 MB a pair",
    ]


def test_failures_are_one_error_that_names_the_pairs() -> None:
    with pytest.raises(PairsFailedError, match=r"2 of 3 pairs failed \(btc_usdt, chz_usdt\)"):
        refuse_failures([killed("chz_usdt"), Outcome("eth_usdt", "done"), Outcome("btc_usdt", "no", failed=True)])


def test_without_a_failure_there_is_no_error() -> None:
    refuse_failures([Outcome("eth_usdt", "done")])

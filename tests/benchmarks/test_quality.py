import gzip
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from make_us_rich.candles.frame import to_klines
from make_us_rich.domain.errors import DataError
from make_us_rich.domain.klines import KLINE_COLUMNS, KLINE_DTYPES
from make_us_rich.replay import SimulatedMarket
from synthetic import simulated_klines

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "quality.py"
COLUMNS = (
    "pair,architecture,horizon,crps,skill_vs_baseline,dm_t,coverage_50,coverage_80,coverage_90,"
    "rmse_skill_vs_persistence,folds_won,folds,fit_seconds"
)
ROWS = 7700
EXCHANGE = [
    "open_time",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "close_time",
    "quote_asset_volume",
    "number_of_trades",
    "taker_buy_base",
    "taker_buy_quote",
    "ignore",
]


def load() -> ModuleType:
    sys.path.insert(0, str(BENCHMARK.parent))
    spec = importlib.util.spec_from_file_location("benchmarks_quality", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


quality = load()


def as_the_exchange_has_it(klines: pd.DataFrame) -> pd.DataFrame:
    """Times in milliseconds, the exchange's names."""
    raw = klines.copy()
    for name in ("timestamp", "close_time"):
        raw[name] = raw[name].astype("int64")
    return raw.set_axis(EXCHANGE, axis=1)


@pytest.fixture(scope="module")
def klines() -> pd.DataFrame:
    return simulated_klines(rows=50)


@pytest.mark.parametrize(
    ("name", "pair"),
    [
        ("BTCUSDT-1h.csv.gz", "btc_usdt"),
        ("1000SHIBUSDT-1h.parquet", "1000shib_usdt"),
        ("ETHBTC-1h.csv", "eth_btc"),
        ("BTCUSDT-1h-2017-2020.csv.gz", "btc_usdt-2017-2020"),
        ("btc_usdt.csv", "btc_usdt"),
        ("GOLD.csv", "gold"),
    ],
)
def test_a_pair_is_named_by_its_file(name: str, pair: str) -> None:
    assert quality.pair_name(Path(name)) == pair


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".parquet"])
@pytest.mark.parametrize("exchange", [True, False], ids=["their names", "our names"])
def test_a_file_of_any_kind_is_read(tmp_path: Path, klines: pd.DataFrame, ending: str, exchange: bool) -> None:
    path = tmp_path / f"BTCUSDT-1h{ending}"
    frame = as_the_exchange_has_it(klines) if exchange else klines
    if ending == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False)

    pd.testing.assert_frame_equal(quality.read_klines(path), klines)


@pytest.mark.parametrize("factor", [1000, 1], ids=["microseconds", "milliseconds"])
def test_a_csv_without_a_header_has_the_exchanges_order(tmp_path: Path, klines: pd.DataFrame, factor: int) -> None:
    raw = as_the_exchange_has_it(klines)
    raw["open_time"] *= factor
    raw.to_csv(tmp_path / "BTCUSDT-1h.csv", index=False, header=False)

    pd.testing.assert_frame_equal(quality.read_klines(tmp_path / "BTCUSDT-1h.csv"), klines)


def test_a_file_may_go_on_in_another_unit(tmp_path: Path, klines: pd.DataFrame) -> None:
    raw = as_the_exchange_has_it(klines)
    raw.loc[20:, "open_time"] *= 1000
    raw.to_csv(tmp_path / "x.csv", index=False)

    pd.testing.assert_frame_equal(quality.read_klines(tmp_path / "x.csv"), klines)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.csv", b""),
        ("x.csv", bytes(range(128, 256))),
        ("x.csv", b"hello\nworld, this\n is,no,table\n"),
        ("x.csv.gz", b"no gzip"),
        ("x.csv.gz", gzip.compress(b"1,2,3,4,5\n" * 10_000)[:60]),
        ("x.csv.gz", gzip.compress(bytes(1000))[:12] + bytes(range(200))),
        ("x.parquet", b"no parquet"),
    ],
    # What gzip makes has the time of day in it, and so would have the names of these tests.
    ids=["empty", "binary", "text", "no gzip", "cut gzip", "broken gzip", "no parquet"],
)
def test_what_is_no_such_file_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(DataError, match="it cannot be read as candles"):
        quality.read_klines(tmp_path / name)


@pytest.mark.parametrize("time", ["timestamp", "Date", "open_time"])
def test_a_missing_column_is_zero(tmp_path: Path, klines: pd.DataFrame, time: str) -> None:
    few = klines[["timestamp", "open", "high", "low", "close", "volume"]].rename(columns={"timestamp": time})
    few.to_csv(tmp_path / "x.csv", index=False)

    read = quality.read_klines(tmp_path / "x.csv")

    assert dict(read.dtypes.astype(str)) == KLINE_DTYPES
    pd.testing.assert_frame_equal(read[list(KLINE_COLUMNS[:7])], klines[list(KLINE_COLUMNS[:7])])
    assert (read[list(KLINE_COLUMNS[7:])] == 0).all(axis=None)


def test_times_may_be_the_index_of_a_parquet_file(tmp_path: Path, klines: pd.DataFrame) -> None:
    klines.set_index("timestamp").to_parquet(tmp_path / "x.parquet")

    pd.testing.assert_frame_equal(quality.read_klines(tmp_path / "x.parquet"), klines)


@pytest.mark.parametrize("header", [True, False])
def test_without_any_time_the_rows_are_contiguous_hours(tmp_path: Path, klines: pd.DataFrame, header: bool) -> None:
    bare = klines[["open", "high", "low", "close", "volume"]]
    bare.to_csv(tmp_path / "x.csv", index=False, header=header)

    with pytest.warns(UserWarning, match="no time column: the rows count as contiguous hours"):
        read = quality.read_klines(tmp_path / "x.csv")

    assert set(read["timestamp"].diff().dropna()) == {pd.Timedelta("1h")}
    pd.testing.assert_frame_equal(read[list(bare.columns)], bare)


def test_a_needed_column_that_is_missing_is_named(tmp_path: Path, klines: pd.DataFrame) -> None:
    klines.drop(columns=["high", "volume"]).to_csv(tmp_path / "x.csv", index=False)

    with pytest.raises(DataError, match="no column high, volume; give open, high, low, close and volume"):
        quality.read_klines(tmp_path / "x.csv")


def test_text_among_the_prices_is_refused(tmp_path: Path, klines: pd.DataFrame) -> None:
    klines.astype({"close": object}).assign(close="n/a?").to_csv(tmp_path / "x.csv", index=False)

    with pytest.raises(DataError, match="a value is of the wrong kind"):
        quality.read_klines(tmp_path / "x.csv")


def test_a_folder_without_kline_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no kline files; put files named like BTCUSDT-1h\.csv\.gz there"):
        quality.kline_files(tmp_path)


@pytest.mark.parametrize(
    ("windows", "folds", "hours"),
    [
        (7_000, 8, 336),  # Never less.
        (8_714, 8, 504),  # A year of candles: the folds of a run.
        (26_040, 8, 2_160),  # A quarter at most.
        (44_760, 16, 2_160),  # More folds in more years.
    ],
)
def test_the_folds_are_as_many_and_as_long_as_the_candles_give(windows: int, folds: int, hours: int) -> None:
    plan = quality.plan(windows)

    assert (plan.folds, plan.hours) == (folds, hours)


def test_what_takes_minutes_comes_last_and_on_a_budget() -> None:
    training = quality.TrainingParameters.model_validate(quality._parameters("training", "training"))
    names = tuple(training.names())
    files = [Path("a"), Path("b")]

    jobs = list(quality.plan_jobs(files, names))

    assert [job.path for job in jobs] == files * 2
    assert [set(job.walked) for job in jobs[1:3]] == [set(names) - {"lstm_levels"}, {"lstm_levels"}]
    assert {job.architectures for job in jobs} == {names}
    assert quality.recipe(training, "lstm_levels", slow=False).max_epochs == 1
    assert quality.recipe(training, "lstm_levels", slow=True) == training.lstm_levels


def test_tables_are_merged_by_file_with_the_baseline_once() -> None:
    paths = [Path("a"), Path("b")]
    jobs = [quality.Job(path, (), ()) for path in paths * 2]
    made = [("a", "baseline"), ("a", "har")], [("b", "baseline")], [("a", "baseline"), ("a", "lstm_levels")]
    tables = {number: pd.DataFrame(rows, columns=["pair", "architecture"]) for number, rows in enumerate(made)}

    merged = quality.merge(tables, jobs)

    assert list(merged.itertuples(index=False, name=None)) == [
        ("a", "baseline"),
        ("a", "har"),
        ("a", "lstm_levels"),
        ("b", "baseline"),
    ]


def ten_months(symbol: str) -> pd.DataFrame:
    """Candles of the simulated market, enough for the folds; nobody traded them."""
    series = SimulatedMarket(seed=42).series(symbol, 1_530_000_000_000)
    assert series is not None
    return to_klines([json.loads(row) for row in series.rows[:ROWS]], symbol)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, Path]:
    folder = tmp_path_factory.mktemp("klines")
    few = ten_months("BTCUSDT")[["timestamp", "open", "high", "low", "close", "volume"]]
    few.to_csv(folder / "BTCUSDT-1h.csv.gz", index=False)
    as_the_exchange_has_it(ten_months("ETHUSDT")).to_parquet(folder / "ETHUSDT-1h.parquet")
    simulated_klines(rows=900).to_csv(folder / "SHORTUSDT-1h.csv", index=False)
    (folder / "BROKENUSDT-1h.csv.gz").write_bytes(b"no gzip")
    out = folder.parent / f"{folder.name}.table"
    return quality.main([str(folder), str(out), "--architectures", "har"]), out


def test_the_csv_has_a_row_a_pair_architecture_and_horizon(written: tuple[int, Path]) -> None:
    table = pd.read_csv(written[1])

    assert written[1].read_text().splitlines()[0] == COLUMNS
    assert table.groupby(["pair", "architecture"])["horizon"].apply(list).to_dict() == {
        (pair, name): ["1", "4", "24", "mean"] for pair in ("btc_usdt", "eth_usdt") for name in ("baseline", "har")
    }
    assert table.notna().all(axis=None)


def test_skill_is_the_share_of_the_baselines_crps_that_is_gone(written: tuple[int, Path]) -> None:
    table = pd.read_csv(written[1])
    own, baseline = (table[table["architecture"] == name].reset_index() for name in ("har", "baseline"))

    expected = 1 - own["crps"] / baseline["crps"]

    assert own["horizon"].tolist() == baseline["horizon"].tolist()
    np.testing.assert_allclose(own["skill_vs_baseline"], expected)
    assert (np.sign(own["dm_t"]) == np.sign(expected)).all()


def test_the_baseline_has_no_skill_against_itself(written: tuple[int, Path]) -> None:
    table = pd.read_csv(written[1]).query("architecture == 'baseline'")

    assert (table[["skill_vs_baseline", "dm_t", "folds_won", "rmse_skill_vs_persistence"]] == 0).all(axis=None)


def test_shares_and_counts_are_within_their_bounds(written: tuple[int, Path]) -> None:
    table = pd.read_csv(written[1])

    assert (table["folds"] == 8).all()
    assert table["folds_won"].between(0, 8).all()
    assert (table["coverage_50"] < table["coverage_80"]).all()
    assert (table["coverage_80"] < table["coverage_90"]).all()
    assert (table["fit_seconds"] < 5).all()


def test_what_cannot_be_judged_is_named_and_the_others_are_judged(
    written: tuple[int, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    simulated_klines(rows=900).to_csv(tmp_path / "SHORTUSDT-1h.csv", index=False)
    (tmp_path / "BROKENUSDT-1h.csv.gz").write_bytes(b"no gzip")

    failed = quality.main([str(tmp_path), str(tmp_path / "out"), "--architectures", "har"])

    assert (written[0], failed) == (1, 1)
    told = capsys.readouterr().err
    assert "left out: SHORTUSDT-1h.csv: 8 folds of 336 hours need more than 2688" in told
    assert "left out: BROKENUSDT-1h.csv.gz: it cannot be read as candles" in told
    assert (tmp_path / "out").read_text().strip() == COLUMNS

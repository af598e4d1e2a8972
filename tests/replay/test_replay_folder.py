import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from make_us_rich.domain.errors import DataError
from make_us_rich.domain.klines import KLINE_COLUMNS
from make_us_rich.replay import FolderMarket

HOUR_MS = 3_600_000
FIRST_MS = 1_709_078_400_000
LATER = 10**15


def rows(folder: Path, symbol: str = "AAAUSDT") -> list[list[object]]:
    series = FolderMarket(folder).series(symbol, LATER)
    assert series is not None
    return [json.loads(row) for row in series.rows[:]]


def as_binance_sends(text: str) -> list[object]:
    """A line's fields: times and trades as numbers, everything else as it is written."""
    return [int(field) if at in (0, 6, 8) else field for at, field in enumerate(text.split(","))]


def test_numbers_come_out_exactly_as_written(tmp_path, line):
    text = line(FIRST_MS)
    (tmp_path / "AAAUSDT-1h.csv").write_text(text)
    assert rows(tmp_path) == [as_binance_sends(text)]


@pytest.mark.parametrize("header", ["", "open_time,open,high,low,close\n"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_header_line_and_line_ends_do_not_matter(tmp_path, header, ending, line):
    text = header + line(FIRST_MS) + "\n" + line(FIRST_MS + HOUR_MS) + "\n"
    (tmp_path / "AAAUSDT-1h.csv").write_bytes(text.replace("\n", ending).encode())
    assert len(rows(tmp_path)) == 2


def test_gzip_reads_like_plain_text(tmp_path, line):
    (tmp_path / "AAAUSDT-1h.csv.gz").write_bytes(gzip.compress(line(FIRST_MS).encode()))
    assert rows(tmp_path) == [as_binance_sends(line(FIRST_MS))]


def test_microseconds_become_milliseconds(tmp_path, line):
    text = line(FIRST_MS * 1000, closes=(FIRST_MS + HOUR_MS) * 1000 - 1)
    (tmp_path / "AAAUSDT-1h.csv").write_text(text)
    assert rows(tmp_path) == [as_binance_sends(line(FIRST_MS))]


def test_files_of_a_symbol_are_merged_by_open_time_and_the_first_keeps_its_candle(tmp_path, line):
    (tmp_path / "AAAUSDT-1h-2.csv").write_text(line(FIRST_MS, 900) + "\n" + line(FIRST_MS - HOUR_MS, 300))
    (tmp_path / "AAAUSDT-1h-1.csv").write_text(line(FIRST_MS, 100))
    assert [(row[0], row[8]) for row in rows(tmp_path)] == [(FIRST_MS - HOUR_MS, 300), (FIRST_MS, 100)]


def test_subfolders_and_other_files_are_left_alone(tmp_path, write_hours):
    write_hours(tmp_path / "AAAUSDT-1h.csv", 1)
    (tmp_path / "README.md").write_text("about")
    (tmp_path / "sub").mkdir()
    write_hours(tmp_path / "sub" / "BBBUSDT-1h.csv", 1)
    assert FolderMarket(tmp_path).symbols() == ("AAAUSDT",)


def test_default_time_is_when_the_last_candle_has_closed(tmp_path, write_hours):
    write_hours(tmp_path / "AAAUSDT-1h.csv", 3)
    assert FolderMarket(tmp_path).default_now() == datetime(2024, 2, 28, 3, tzinfo=UTC)


def test_parquet_of_the_kline_schema_is_read_by_name(tmp_path, line):
    values = line(FIRST_MS).split(",")
    moment = datetime(2024, 2, 28, tzinfo=UTC)
    columns = {name: [float(value)] for name, value in zip(KLINE_COLUMNS, values, strict=True)}
    columns |= {
        "trades": [100],
        "timestamp": [moment],
        "close_time": [moment + timedelta(hours=1, milliseconds=-1)],
    }
    pq.write_table(pa.table(dict(reversed(columns.items()))), tmp_path / "AAAUSDT-1h.parquet")
    assert rows(tmp_path) == [
        [
            *(FIRST_MS, "100.1", "102.5", "98.25", "101.0", "100.123456789012"),
            *(FIRST_MS + HOUR_MS - 1, "100000.5", 100, "100.01", "100.02", "0.0"),
        ]
    ]


def test_parquet_of_other_names_is_read_in_order_and_texts_stay(tmp_path, line):
    fields = [int(value) if at in (0, 6, 8) else value for at, value in enumerate(line(FIRST_MS).split(","))]
    pq.write_table(pa.table({f"c{at}": [field] for at, field in enumerate(fields)}), tmp_path / "AAAUSDT-1h.parquet")
    assert rows(tmp_path) == [fields]


def test_small_floats_of_parquet_have_no_exponent(tmp_path, line):
    fields = [float(value) for value in line(FIRST_MS).split(",")]
    fields[1] = 1e-7
    pq.write_table(pa.table({f"c{at}": [field] for at, field in enumerate(fields)}), tmp_path / "AAAUSDT-1h.parquet")
    assert rows(tmp_path)[0][1] == "0.0000001"


def test_damaged_parquet_row_is_named(tmp_path, line):
    fields = [[float(value)] * 2 for value in line(FIRST_MS).split(",")]
    fields[4] = [1.0, float("nan")]
    pq.write_table(pa.table({f"c{at}": field for at, field in enumerate(fields)}), tmp_path / "AAAUSDT-1h.parquet")
    with pytest.raises(DataError, match=r"AAAUSDT-1h\.parquet, row 2: not a kline .*repair or remove it"):
        FolderMarket(tmp_path)


def test_parquet_with_too_few_columns_is_refused(tmp_path):
    pq.write_table(pa.table({"open": [1.0]}), tmp_path / "AAAUSDT-1h.parquet")
    with pytest.raises(DataError, match="1 columns, a kline file has 12"):
        FolderMarket(tmp_path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "1,2,3",
        lambda text: text + ",13",
        lambda text: text.replace("102.5000", "abc"),
        lambda text: text.replace("102.5000", ""),
        lambda text: text.replace("102.5000", "nan"),
        lambda text: "-" + text,
        lambda text: "",
    ],
)
def test_malformed_line_is_named_with_its_file_and_number(tmp_path, damage, line):
    (tmp_path / "AAAUSDT-1h.csv").write_text(
        f"open_time,open\n{line(FIRST_MS)}\n{damage(line(FIRST_MS))}\n{line(FIRST_MS)}\n"
    )
    with pytest.raises(DataError, match=r"AAAUSDT-1h\.csv, line 3: not a kline: .*repair or remove it"):
        FolderMarket(tmp_path)


def test_damaged_gzip_is_named(tmp_path, line):
    (tmp_path / "AAAUSDT-1h.csv.gz").write_bytes(gzip.compress(line(FIRST_MS).encode())[:30])
    with pytest.raises(DataError, match=r"AAAUSDT-1h\.csv\.gz: cannot be read .*fetch the file again"):
        FolderMarket(tmp_path)


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(DataError, match="nowhere is not a folder; give the folder that holds the kline files"):
        FolderMarket(tmp_path / "nowhere")


def test_folder_without_kline_files_says_how_to_name_them(tmp_path):
    with pytest.raises(DataError, match=r"has no kline files; put files named like BTCUSDT-1h\.csv\.gz"):
        FolderMarket(tmp_path)


def test_file_without_candles_is_refused(tmp_path):
    (tmp_path / "AAAUSDT-1h.csv").write_text("open_time,open\n")
    with pytest.raises(DataError, match=r"AAAUSDT-1h\.csv: no candles inside"):
        FolderMarket(tmp_path)


def test_two_intervals_of_a_symbol_are_refused(tmp_path, write_hours):
    write_hours(tmp_path / "AAAUSDT-1h.csv", 1)
    write_hours(tmp_path / "AAAUSDT-2h.csv", 1)
    with pytest.raises(DataError, match="AAAUSDT: files of 1h and 2h in one folder; keep one interval"):
        FolderMarket(tmp_path)


def test_unknown_interval_in_a_file_name_is_refused(tmp_path, write_hours):
    write_hours(tmp_path / "AAAUSDT-7h.csv", 1)
    with pytest.raises(DataError, match=r"7h is no interval of Binance; name the file like AAAUSDT-1h\.csv"):
        FolderMarket(tmp_path)


@pytest.mark.parametrize("name", ["BTCUSDT-1h.csv.gz", "ETHUSDT-1h.csv.gz", "CHZUSDT-1h.csv.gz"])
def test_every_byte_of_the_real_candles_is_kept(market_data, name):
    lines = gzip.decompress((market_data / name).read_bytes()).decode().splitlines()[1:]
    assert rows(market_data, name.split("-")[0]) == [as_binance_sends(text) for text in lines]


def test_irregular_candles_come_out_as_they_are(market_data):
    path = market_data / "irregular" / "BTCUSDT-1h-2017-2020.csv.gz"
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()[1:]
    found = rows(path.parent, "BTCUSDT")
    assert found == [as_binance_sends(text) for text in lines]
    assert sum(int(str(row[0])) % HOUR_MS != 0 for row in found) == 43

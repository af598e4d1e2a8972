"""Kline files as exchanges, data services and tools write them."""

import gzip
import io
import json
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from make_us_rich.domain.errors import DataError
from make_us_rich.klines.files import find_files, parse_name, read_candles

HOUR_MS = 3_600_000
FIRST = datetime(2025, 2, 27, 22, tzinfo=UTC)
FIRST_MS = 1_740_693_600_000
ROWS = 30


def candle(hour: int) -> list[object]:
    """A candle as Binance sends it."""
    opened, price = FIRST_MS + hour * HOUR_MS, 100 + hour
    prices = [f"{price}.10", f"{price + 2}.5000", f"{price - 2}.25", f"{price + 1}.00", f"{price}.123456789012"]
    return [opened, *prices, opened + HOUR_MS - 1, "900.5", price, "1.01", "2.02", "0"]


CANDLES = [candle(hour) for hour in range(ROWS)]
PRICES = [row[:6] for row in CANDLES]


def csv(rows: list[list[object]], *, unit: int = 1) -> str:
    return "".join(",".join(str(f * unit if at in (0, 6) else f) for at, f in enumerate(row)) + "\n" for row in rows)


def moment(hour: int, form: str) -> str:
    return f"{FIRST + timedelta(hours=hour):{form}}"


HEADER_6 = "date,open,high,low,close,volume\n"


def with_dates(form: str, header: str = HEADER_6, hours: range = range(ROWS)) -> str:
    return header + "".join(f"{moment(hour, form)},{','.join(map(str, candle(hour)[1:6]))}\n" for hour in hours)


def zipped(rows: list[list[object]], unit: int = 1) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("BTCUSDT-1h.csv", csv(rows, unit=unit))
    return content.getvalue()


def crypto_data_download(unit: int = 1000) -> str:
    """Newest first, a comment on top, its own columns."""
    lines = [
        "https://www.CryptoDataDownload.com",
        "Unix,Date,Symbol,Open,High,Low,Close,Volume USDT,Volume BTC,tradecount",
    ]
    for hour in reversed(range(ROWS)):
        opened, o, h, low, c, volume, _, quote, trades, *_ = candle(hour)
        at = int(str(opened)) // unit
        lines.append(f"{at},{moment(hour, '%Y-%m-%d %H:%M:%S')},BTC/USDT,{o},{h},{low},{c},{quote},{volume},{trades}")
    return "\n".join(lines)


def read(path: Path) -> list[list[object]]:
    symbol, _ = parse_name(path)
    assert symbol == "BTCUSDT"
    interval, rows = read_candles(symbol, [path])
    assert interval == "1h"
    return rows


def write(folder: Path, name: str, content: str | bytes) -> Path:
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return folder / name


HEADER = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,x\n"
)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("BTCUSDT-1h.csv", csv(CANDLES)),
        ("BTCUSDT-1h-2025-02.csv", HEADER + csv(CANDLES)),
        ("btcusdt-1h.csv", HEADER + csv(CANDLES).replace("\n", "\r\n")),
        ("BTCUSDT-1h.csv.gz", gzip.compress(csv(CANDLES[::-1]).encode())),
        ("BTCUSDT-1h-2025-02.zip", zipped(CANDLES, 1000)),
        ("BTCUSDT_1h.json", json.dumps(CANDLES)),
    ],
    ids=["no header", "header", "CRLF", "gzip, descending", "zip in microseconds", "JSON"],
)
def test_files_of_binance_are_read_to_the_last_digit(tmp_path: Path, name: str, content: str | bytes) -> None:
    assert read(write(tmp_path, name, content)) == CANDLES


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("BTC_USDT-1h.json", json.dumps(PRICES)),
        ("BTC_USDT_USDT-1h-futures.json.gz", gzip.compress(json.dumps(PRICES).encode())),
        ("BTCUSDT.json", json.dumps([[row[0], *map(float, row[1:6])] for row in PRICES])),
        ("BTCUSDT-1h.csv", csv([[int(str(row[0])) // 1000, *row[1:]] for row in PRICES])),
        ("BTCUSDT.csv", with_dates("%Y-%m-%d %H:%M:%S")),
        ("BTCUSDT-1h.csv", with_dates("%Y-%m-%dT%H:%M:%S+00:00", HEADER_6.title()).replace(",", ";")),
        ("BTCUSDT-1h.csv", with_dates("%d/%m/%Y %H:%M")),
        ("BTCUSDT-1h.csv", with_dates("%m/%d/%Y %H:%M:%S")),
        ("BTCUSDT-1h.csv", with_dates("%d.%m.%Y %H:%M")),
        ("Bitstamp_BTCUSDT_1h.csv", with_dates("%Y-%m-%d %I-%p")),
        ("BTCUSDT-1h.csv", "# from a tool\n" + with_dates("%Y/%m/%d %H:%M")),
    ],
    ids=range(11),
)
def test_files_with_fewer_columns_are_read_and_the_others_are_zero(tmp_path: Path, name: str, content: str) -> None:
    rows = read(write(tmp_path, name, content))
    assert [[row[0], *map(float, row[1:6])] for row in rows] == [[row[0], *map(float, row[1:6])] for row in PRICES]
    assert {(row[6] - row[0], *row[7:]) for row in rows} == {(HOUR_MS - 1, "0", 0, "0", "0", "0")}


@pytest.mark.parametrize("unit", [1000, 1], ids=["seconds", "milliseconds"])
def test_crypto_data_download_is_read_with_its_volumes_by_currency(tmp_path: Path, unit: int) -> None:
    rows = read(write(tmp_path, "Binance_BTCUSDT_1h.csv", crypto_data_download(unit)))
    assert [[*row[:6], row[7], row[8]] for row in rows] == [[*row[:6], row[7], row[8]] for row in CANDLES]


def frame(**columns: object) -> pd.DataFrame:
    names = ("open", "high", "low", "close", "volume")
    return pd.DataFrame({name: [float(str(row[at])) for row in PRICES] for at, name in enumerate(names, 1)} | columns)


TIMES = pd.date_range(FIRST, periods=ROWS, freq="h")
SECONDS = [int(str(row[0])) // 1000 for row in PRICES]


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("BTC_USDT-1h.feather", frame(date=TIMES)),
        ("BTCUSDT-1h.parquet", frame(timestamp=TIMES.tz_localize(None).astype("datetime64[ns]"))),
        ("BTCUSDT-1h.parquet", frame().set_index(TIMES)),
        ("BTCUSDT-1h.parquet", frame(unix=SECONDS)),
    ],
    ids=["freqtrade feather", "nanoseconds", "index", "seconds"],
)
def test_feather_and_parquet_are_read_as_the_shortest_decimals(tmp_path: Path, name: str, table: pd.DataFrame) -> None:
    (table.to_feather if name.endswith("feather") else table.to_parquet)(tmp_path / name)
    rows = read(tmp_path / name)
    assert [row[:6] for row in rows] == [[row[0], *(repr(float(str(f))) for f in row[1:6])] for row in PRICES]


def test_small_floats_have_no_exponent_and_twelve_unknown_columns_have_binances_order(tmp_path: Path) -> None:
    path = tmp_path / "BTCUSDT-1h.parquet"
    frame(date=TIMES, low=1e-7).to_parquet(path)
    assert read(path)[0][3] == "0.0000001"
    pd.DataFrame(CANDLES, columns=[f"c{at}" for at in range(12)]).to_parquet(path)
    assert read(path) == CANDLES


def test_files_of_one_interval_are_merged_and_the_first_keeps_its_candle(tmp_path: Path) -> None:
    changed = [[*row[:8], 7, *row[9:]] for row in CANDLES[10:]]
    paths = [
        write(tmp_path, "BTCUSDT-1h-2025-02.zip", zipped(CANDLES[:20])),
        write(tmp_path, "BTCUSDT-1h-2025-03.csv", csv(changed, unit=1000)),
    ]
    assert find_files(tmp_path) == {"BTCUSDT": paths}
    assert read_candles("BTCUSDT", paths)[1] == CANDLES[:20] + changed[10:]
    paths.append(write(tmp_path, "BTCUSDT-2h.csv", csv(CANDLES[::2])))
    with pytest.raises(DataError, match="BTCUSDT: files of 1h and 2h in one folder; keep one interval"):
        read_candles("BTCUSDT", paths)


DAY_FIRST = "%d/%m/%Y %H:%M"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (with_dates(DAY_FIRST, hours=range(26, 46)), "line 2: no date shows whether day or month comes first; write"),
        (with_dates(DAY_FIRST) + "03/31/2025 01:00,1,1,1,1,1\n", "dates contradict each other"),
        (with_dates("%Y-%m-%d"), "candles are 0 minutes apart"),
        (with_dates("%y-%m-%d %H:%M"), "line 2: '25-02-27 22:00' is not a time"),
        (csv([["45715.5", *row[1:6]] for row in PRICES]), r"line 1: '45715\.5' is not a time between 2009"),
        (csv([[at, *row[1:6]] for at, row in enumerate(PRICES)]), "line 1: '0' is not a time between 2009 and 2100"),
        (csv([row[1:6] for row in PRICES]), "line 1: not a kline: 5 columns without a header; a line has open time"),
        (with_dates("%Y-%m-%d %H:%M", "when,open,high,low,close,volume\n"), "no column timestamp among when"),
        (csv(CANDLES[::2]), "the name says 1h, but most candles are 120 minutes apart; check its times"),
        (csv(CANDLES[:2]) + "1,2\n", "line 3: not a kline: '1,2' has 2 columns; repair or remove the line"),
        *(
            (HEADER + csv(CANDLES).replace("101.10", text), f"line 3: not a kline: open is '{text}', not a number; rep")
            for text in ("abc", "", "nan")
        ),
        (HEADER, "no candles inside; remove the file or fetch it again"),
        ("", "no candles inside"),
    ],
    ids=range(15),
)
def test_what_is_not_certain_is_refused_with_line_and_remedy(tmp_path: Path, content: str, message: str) -> None:
    path = write(tmp_path, "BTCUSDT-1h.csv", content)
    with pytest.raises(DataError, match=rf"BTCUSDT-1h\.csv.*{message}"):
        read(path)


@pytest.mark.parametrize("name", ["BTCUSDT-1h.csv.gz", "BTCUSDT-1h.zip", "BTCUSDT-1h.parquet", "BTCUSDT-1h.json"])
def test_damaged_file_is_named(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, name, gzip.compress(csv(CANDLES).encode())[:40])
    with pytest.raises(DataError, match=rf"{name}: cannot be read .*; fetch the file again"):
        read(path)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("WUSDT-1h.csv", ("WUSDT", "1h")),
        ("币安人生USDT-1h-2025-10.zip", ("币安人生USDT", "1h")),
        ("ETH-BTC-4h.feather", ("ETHBTC", "4h")),
        ("Kraken_ETHUSD_d.csv", ("ETHUSD", "1d")),
        ("BTCUSDT.parquet", ("BTCUSDT", None)),
    ],
)
def test_symbol_and_interval_come_from_the_name(name: str, expected: tuple[str, str | None]) -> None:
    assert parse_name(Path(name)) == expected


def test_folder_without_kline_files_is_refused_and_others_are_named_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(DataError, match="is not a folder"):
        find_files(tmp_path / "nowhere")
    write(tmp_path, "README.md", "about")
    (tmp_path / "sub").mkdir()
    with pytest.raises(DataError, match="put files named like BTCUSDT-1h"):
        find_files(tmp_path)
    assert "README.md: not a kline file" in caplog.text


@pytest.mark.parametrize("name", ["BTCUSDT-1h.csv.gz", "CHZUSDT-1h.csv.gz", "irregular/BTCUSDT-1h-2017-2020.csv.gz"])
def test_every_byte_of_real_candles_is_retained(market_data: Path, name: str) -> None:
    lines = gzip.decompress((market_data / name).read_bytes()).decode().splitlines()[1:]
    _, rows = read_candles(parse_name(market_data / name)[0], [market_data / name])
    assert [",".join(map(str, row)) for row in rows] == lines


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("BTCUSDT-7h.csv", "7h is not an interval that can be read"),
        ("BTC_USDT_USDT-1h-mark.feather", "mark candles are not traded prices"),
    ],
)
def test_a_file_name_of_other_candles_is_refused(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / name).write_text(csv(CANDLES))
    with pytest.raises(DataError, match=message):
        find_files(tmp_path)

"""``make bot``: record past forecasts, let freqtrade trade by them on the replay exchange, and print what it did."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pandas as pd

from examples.freqtrade.strategies.sizing import make_plan
from make_us_rich.backtest.backtest import CALIBRATION_FOLD, Backtests
from make_us_rich.backtest.calibration import calibrate_forward, center_on_last_close, settle
from make_us_rich.catalog import open_config
from make_us_rich.client.answers import Quantiles, Risk
from make_us_rich.domain.errors import MakeUsRichError
from make_us_rich.domain.forecast import BASELINE, HORIZON, LEVELS, TARGETS, Forecast
from make_us_rich.domain.klines import HOUR, PRICE_COLUMNS
from make_us_rich.domain.pair import Pair
from make_us_rich.domain.risk import Position, results, tail_risk
from make_us_rich.domain.scenarios import ScenarioRanks, grid_rows, scenario_ranks
from make_us_rich.exchange import BinanceClient
from make_us_rich.features.registry import compute_features
from make_us_rich.klines.quality import check_candles
from make_us_rich.klines.rules import FetchInfo
from make_us_rich.models.backtesting import cut_windows, plan_folds, run_backtest
from make_us_rich.models.base import FitSettings
from make_us_rich.project_parameters import ProjectParameters, check_parameters
from make_us_rich.replay import ReplayServer, SimulatedMarket
from make_us_rich.replay.exchange import Clock, FolderMarket

HERE = Path(__file__).parent
USER_DATA = HERE / "user_data"
MODEL, PAIRS, FEE = "har", ("btc_usdt", "eth_usdt"), 0.001
SIMULATED_UNTIL = datetime(2026, 1, 1, tzinfo=UTC)
STRATEGIES = {"ForecastRisk": "forecast", "FixedRisk": "fixed"}
EXITS = {"stop_loss": "stop", "roi": "target", "time": "time", "force_exit": "time"}
"""freqtrade's reasons; it forces the last exit where the record ends."""


def main(arguments: Sequence[str]) -> None:
    """Backtest on the given folder of kline files, else on a simulated market."""
    market = FolderMarket(arguments[0]) if arguments else SimulatedMarket(seed=42)
    until = market.default_now() if arguments else SIMULATED_UNTIL
    parameters = check_parameters(open_config("base")["parameters"])
    with ReplayServer(market, Clock(until, speed=0)) as exchange:
        rows = [row for name in PAIRS for row in run(Pair.parse(name), exchange.url, until, parameters)]
    print(f"\n{market.title}; fee {FEE:.1%}, no slippage; a wallet for each row, in per cent of it\n")
    print(pd.DataFrame(rows).set_index(["pair", "sizes"]).to_string(float_format="{:.1f}".format, na_rep=""))


def run(pair: Pair, url: str, until: datetime, parameters: ProjectParameters) -> Iterator[dict[str, Any]]:
    """The rows of a pair: both strategies, then holding the coin."""
    print(f"{pair}: forecasts", end=", ", flush=True)
    klines = BinanceClient(url).klines(pair, until - timedelta(days=parameters.history_days), until)
    candles = check_candles(klines, pair, FetchInfo(now=until), parameters.fetching)[0]
    forecasts = past_forecasts(backtest(candles, parameters), parameters)
    plans = pd.DataFrame([make_plan(PastAnswers(each), pair.name, each.issued_at) for each in forecasts])
    candles = candles.rename(columns={"timestamp": "date"})[["date", *PRICE_COLUMNS, "volume"]]
    for folder, suffix, frame in (("plans", "", plans), ("data/binance", "-1h", candles)):
        (USER_DATA / folder).mkdir(parents=True, exist_ok=True)
        frame.to_feather(USER_DATA / folder / f"{pair.name.upper()}{suffix}.feather")
    print("freqtrade", flush=True)
    for strategy, found in trade(pair, url, plans["issued_at"].iloc[[0, -1]]).items():
        yield {"pair": pair.name, "sizes": STRATEGIES[strategy]} | describe(found, plans)
    held = candles.set_index("date")["close"][plans["issued_at"].iloc[0] :]
    profit = held.iloc[-1] / held.iloc[0] * (1 - FEE) / (1 + FEE) - 1
    losses = {"profit": 100 * profit, "drawdown": 100 * (1 - held / held.cummax()).max()}
    yield {"pair": pair.name, "sizes": "buy and hold"} | losses


def backtest(candles: pd.DataFrame, parameters: ProjectParameters) -> Backtests:
    """The walk-forward backtest of a run: forecasts of hours that their fit has not seen."""
    recipes = {name: parameters.training.architecture(name) for name in (BASELINE, MODEL)}
    features = {each.feature_set: compute_features(each.feature_set, candles) for each in recipes.values()}
    windows = cut_windows(recipes, {name: lambda name=name: features[name] for name in features}, candles)
    settings = FitSettings(LEVELS, parameters.training.seed, parameters.training.accelerator)
    return run_backtest(recipes, windows, plan_folds(windows[BASELINE], parameters.backtest), settings)


def past_forecasts(backtests: Backtests, parameters: ProjectParameters) -> Iterator[Forecast]:
    """The test folds' forecasts, calibrated and with the scenarios that were known when each was issued.

    Their closes are centred on the last one: whether the median has an edge is known only after the folds.
    """
    close, calibrated = backtests["close"], {}
    for target, each in backtests.items():
        past = each.past(MODEL)
        if target == "close":
            past = replace(past, quantiles=center_on_last_close(past.quantiles, each.levels))
        calibrated[target] = calibrate_forward(past, parameters.calibration)
    served = settle(calibrated)
    outcomes = np.stack([backtests[target].targets for target in TARGETS], axis=1)
    low, high = (served["close"][:, :, close.levels.index(level)] for level in (0.1, 0.9))
    for fold in range(CALIBRATION_FOLD + 1, close.folds.max() + 1):
        rows = np.flatnonzero(close.folds == fold)
        known = grid_rows(close.opens) & (close.opens <= close.opens[rows[0]] - np.timedelta64(HORIZON, "h"))
        widths = (high - low)[known]
        ranked = scenario_ranks(outcomes[known], widths, parameters.training.seed)
        ranks = ScenarioRanks(close.opens[known], ranked, widths)
        for row in rows:
            issued_at, last_close = pd.Timestamp(close.opens[row], tz="UTC") + HOUR, float(close.closes[row])
            returns = {target: each[row] for target, each in served.items()}
            yield Forecast("", "", MODEL, issued_at, last_close, (), (), None, None, close.levels, returns, ranks=ranks)


@dataclass(frozen=True)
class PastAnswers:
    """What the API would have answered when the forecast was issued, in the methods of its client."""

    forecast: Forecast

    def quantiles(self, _pair: str, level: float, target: str) -> Quantiles:
        prices = self.forecast.prices(target, [level]).tolist()
        return Quantiles.model_construct(issued_at=self.forecast.issued_at, quantiles=prices)

    def risk(self, _pair: str, *, hours: int, stop: float, target: float) -> Risk:
        last_close, position = self.forecast.last_close, Position(1, "long", stop, target)
        paths = self.forecast.scenarios()[:, :, :hours]
        gains, exits = results(paths, last_close, position)
        found = {"issued_at": self.forecast.issued_at, "last_close": last_close, "tail": [tail_risk(gains, 0.95)]}
        return Risk.model_construct(**found, exits=exits)


def trade(pair: Pair, url: str, span: "pd.Series[pd.Timestamp]") -> dict[str, Any]:
    """What freqtrade's backtesting found, by strategy; it loads the market's definitions from the replay exchange."""
    ccxt = {"urls": {"api": {"public": f"{url}/api/v3"}}, "options": {"fetchMarkets": {"types": ["spot"]}}}
    replay, log = USER_DATA / "replay.json", USER_DATA / "freqtrade.log"
    exchange = {"pair_whitelist": [pair.name.upper().replace("_", "/")], "ccxt_config": ccxt}
    replay.write_text(json.dumps({"exchange": exchange}))
    options = [f"--config={HERE / 'config.json'}", f"--config={replay}", f"--userdir={USER_DATA}", f"--fee={FEE}"]
    options += [f"--timerange={'-'.join(f'{moment.timestamp():.0f}' for moment in span)}", "--cache=none"]
    options += [f"--strategy-path={HERE / 'strategies'}", "--strategy-list", *STRATEGIES]
    with log.open("w") as file:
        done = subprocess.run([HERE / ".venv/bin/freqtrade", "backtesting", *options], stdout=file, stderr=file)
    if done.returncode:
        raise MakeUsRichError(f"freqtrade ended with exit code {done.returncode}", f"read {log}")
    folder = USER_DATA / "backtest_results"
    name = json.loads((folder / ".last_result.json").read_text())["latest_backtest"]
    with ZipFile(folder / name) as archive:
        return json.loads(archive.read(name.replace(".zip", ".json")))["strategy"]


def describe(found: dict[str, Any], plans: pd.DataFrame) -> dict[str, Any]:
    """One strategy's figures; those said are the mean probabilities of the forecasts that were traded on."""
    trades, wallet = pd.DataFrame(found["trades"]), found["starting_balance"]
    shares = trades["exit_reason"].map(EXITS).value_counts(normalize=True)
    said = plans[plans["issued_at"].isin(pd.to_datetime(trades["open_date"]))].mean()
    figures = {
        "won": found["winrate"],
        "profit": found["profit_total"],
        "drawdown": found["wallet_stats"]["max_drawdown_account"],
        "worst trade": trades["profit_abs"].min() / wallet,
        "stake": trades["stake_amount"].mean() / wallet,
        **{name: shares.get(name, 0.0) for name in ("stop", "target", "time")},
        "said stop": said["stop_first"],
        "said target": said["target_first"],
    }
    return {"trades": str(len(trades))} | {name: 100 * value for name, value in figures.items()}


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except MakeUsRichError as error:
        sys.exit(f"bot: {error}")

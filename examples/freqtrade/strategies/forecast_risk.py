"""A strategy whose stop, target and stake follow from the forecast, and the same with fixed ones."""

import logging
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
from freqtrade.enums import TRADE_MODES
from freqtrade.persistence import Order, Trade
from freqtrade.strategy import IStrategy, stoploss_from_absolute
from sizing import HOURS, Plan, make_plan

WEEK = 168


class ForecastRisk(IStrategy):
    """Buys when the close rises above its weekly mean; the forecast decides everything after that.

    A dry or live run asks the running API (``MAKE_US_RICH_API_URL``, ``MAKE_US_RICH_TOKEN``), a backtest reads the
    plans that ``make bot`` has recorded. Nothing is bought without a forecast of this very hour.
    """

    INTERFACE_VERSION = 3
    timeframe = "1h"
    startup_candle_count = WEEK
    ignore_buying_expired_candle_after = 300  # seconds in which a missing forecast is asked for again
    minimal_roi = {}  # noqa: RUF012
    stoploss = -0.1  # if the plan was lost because the bot stopped before its order was filled
    use_custom_stoploss = use_custom_roi = True
    risk_share = 0.01
    """Share of the wallet that a position may lose on average in the worst 5 % of cases."""

    def bot_start(self, **_: Any) -> None:
        self.plans: dict[str, Plan] = {}

    def find_plan(self, pair: str, issued_at: datetime) -> Plan | None:
        """What the forecast of an hour says; None without one."""
        if self.dp.runmode not in TRADE_MODES:
            recorded = self.recorded(pair)
            rows = recorded[recorded["issued_at"] == issued_at].to_dict("records")
            return Plan(**rows[0]) if rows else None
        from make_us_rich.client import ApiError, Client

        try:
            with Client() as api:
                return make_plan(api, pair.replace("/", "_").lower(), issued_at)
        except ApiError as error:  # freqtrade would stake the whole wallet after an error
            logging.getLogger(__name__).warning("%s is not bought: %s", pair, error)
            return None

    def recorded(self, pair: str) -> pd.DataFrame:
        """The plans of past forecasts."""
        return pd.read_feather(self.config["user_data_dir"] / "plans" / f"{pair.replace('/', '_')}.feather")

    def populate_indicators(self, dataframe: pd.DataFrame, _: dict[str, Any]) -> pd.DataFrame:
        dataframe["mean"] = dataframe["close"].rolling(WEEK).mean()
        return dataframe

    def populate_entry_trend(self, dataframe: pd.DataFrame, _: dict[str, Any]) -> pd.DataFrame:
        above = dataframe["close"] > dataframe["mean"]
        dataframe.loc[above & ~above.shift(fill_value=True), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: pd.DataFrame, _: dict[str, Any]) -> pd.DataFrame:
        return dataframe

    def custom_stake_amount(
        self, pair: str, current_time: datetime, current_rate: float, max_stake: float, **_: Any
    ) -> float:
        plan = self.find_plan(pair, current_time.replace(minute=0, second=0, microsecond=0))
        if plan is None or not plan.stop < current_rate < plan.target:
            return 0
        self.plans[pair] = plan
        return min(plan.stake(self.risk_share * self.wallets.get_total_stake_amount()), max_stake)

    def order_filled(self, pair: str, trade: Trade, order: Order, **_: Any) -> None:
        if order.ft_order_side == trade.entry_side:
            trade.set_custom_data("stop", self.plans[pair].stop)
            trade.set_custom_data("target", self.plans[pair].target)

    def custom_stoploss(self, trade: Trade, current_rate: float, after_fill: bool, **_: Any) -> float | None:
        stop = trade.get_custom_data("stop")
        return max(stoploss_from_absolute(stop, current_rate), 1e-4) if after_fill and stop else None

    def custom_roi(self, trade: Trade, **_: Any) -> float | None:
        target = trade.get_custom_data("target")
        return trade.calc_profit_ratio(target) if target else None

    def custom_exit(self, trade: Trade, current_time: datetime, **_: Any) -> str | None:
        return "time" if current_time - trade.open_date_utc >= timedelta(hours=HOURS) else None


class FixedRisk(ForecastRisk):
    """For comparison: stop, target and stake are always the medians of the record, which only hindsight knows."""

    def find_plan(self, pair: str, issued_at: datetime) -> Plan | None:
        plan, recorded = super().find_plan(pair, issued_at), self.recorded(pair)
        fixed = recorded[["stop", "target", "shortfall"]].div(recorded["price"], axis=0).median()
        return plan and Plan(**asdict(plan) | (plan.price * fixed).to_dict())

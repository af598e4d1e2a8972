"""The replay exchange: a local server that speaks Binance's REST protocol, from files or simulated."""

from make_us_rich.replay.exchange import Clock, FolderMarket
from make_us_rich.replay.faults import Faults
from make_us_rich.replay.server import ReplayServer, answers
from make_us_rich.replay.simulated import SimulatedMarket

__all__ = ["Clock", "Faults", "FolderMarket", "ReplayServer", "SimulatedMarket", "answers"]

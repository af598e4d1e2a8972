"""Make Us Rich: calibrated hourly price forecasts for crypto pairs, trained, checked and published by Kedro."""

from importlib.metadata import version

__version__ = version("make-us-rich")

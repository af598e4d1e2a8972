"""Make Us Rich: calibrated hourly price forecasts for crypto pairs, trained, checked and published by Kedro."""


def __getattr__(name: str) -> str:
    """``__version__``, read from the package's metadata only when it is asked for: that takes 60 ms."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import version

    return version("make-us-rich")

"""Make Us Rich: calibrated hourly price forecasts for crypto pairs, trained, evaluated and published by Kedro."""

import os

# Dependencies read these when they are imported, which is after this package.
for _variable, _value in {
    "DO_NOT_TRACK": "1",
    "KEDRO_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "ORT_DISABLE_TELEMETRY": "1",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # Eight processes of 230 MB, for language models.
    "OMP_NUM_THREADS": "1",  # A second thread does not speed up models of this size.
    "ARROW_DEFAULT_MEMORY_POOL": "system",  # Arrow's own pool holds on to 30 MB after reading files.
}.items():
    os.environ.setdefault(_variable, _value)


def __getattr__(name: str) -> str:
    """``__version__``, read from the package's metadata on first use: that takes 60 ms."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import version

    return version("make-us-rich")

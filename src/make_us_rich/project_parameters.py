"""The parameters as a whole, checked before any node runs, and the pairs among them."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from make_us_rich.alerts.alert import AlertRules
from make_us_rich.backtest.calibration import CalibrationParameters
from make_us_rich.backtest.folds import BacktestParameters
from make_us_rich.backtest.gate import GateParameters
from make_us_rich.catalog import open_config
from make_us_rich.domain.errors import ParameterError, first_problem
from make_us_rich.domain.pair import Pair
from make_us_rich.exchange.budget import MIN_WEIGHT
from make_us_rich.models.registry import TrainingParameters, parse_architectures
from make_us_rich.pipelines.converting.parity import ConvertingParameters
from make_us_rich.pipelines.exporting.nodes import ExportingParameters
from make_us_rich.pipelines.fetching.nodes import FetchingParameters
from make_us_rich.pipelines.monitoring.nodes import MonitoringParameters
from make_us_rich.pipelines.tuning.spaces import TuningParameters, check_spaces
from make_us_rich.runners.fan_out import RunningParameters
from make_us_rich.scheduler.due import SchedulerParameters


class ProjectParameters(BaseModel):
    """Every top-level key of conf/*/parameters*.yml, and below it those of the stages.

    Attributes:
        pairs: Names such as ``btc_usdt``.
        exchange_url: Address that answers Binance's REST protocol.
        exchange_weight: What the runs of a machine may ask for in a minute, in Binance's request weight.
        history_days: Candles that are fetched and learned from.
        architectures: Names in the registry, joined by a plus.
        dry_run: Publish nothing and count nothing: neither verdicts nor trials are stored.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    pairs: list[str] = Field(min_length=1)
    exchange_url: str = Field(pattern=r"^https?://")
    exchange_weight: int = Field(ge=MIN_WEIGHT)
    history_days: int = Field(ge=1)
    architectures: str
    dry_run: bool

    fetching: FetchingParameters
    training: TrainingParameters
    backtest: BacktestParameters
    calibration: CalibrationParameters
    gate: GateParameters
    converting: ConvertingParameters
    exporting: ExportingParameters
    tuning: TuningParameters
    scheduler: SchedulerParameters
    monitoring: MonitoringParameters
    alerts: AlertRules
    running: RunningParameters


def check_parameters(parameters: dict[str, Any]) -> ProjectParameters:
    """Validate them; Kedro does so too, by the nodes' type hints, but its error has neither the full path nor one line.

    Raises:
        ParameterError: A key is unknown, missing or of the wrong type; named by its full path.
        UnknownPairError: A pair is misspelt.
    """
    try:
        checked = ProjectParameters.model_validate(parameters)
    except ValidationError as exc:
        path, problem = first_problem(exc)
        if exc.errors()[0]["type"] == "extra_forbidden":
            problem = "there is no such parameter"
        raise ParameterError(f"parameter {path}: {problem}", "correct it in conf/ or in --params") from exc
    for name in checked.pairs:
        Pair.parse(name)
    parse_architectures(checked.architectures)
    check_spaces(checked.tuning.spaces, checked.training)
    return checked


_pairs: list[Pair] = []


def configure_pairs(names: list[str]) -> None:
    """Remember the pairs of the environment that a session runs in, for the pipeline registry."""
    _pairs[:] = [Pair.parse(name) for name in names]


def configured_pairs() -> list[Pair]:
    """The session's pairs; outside a session, as for ``kedro registry list``, those of the default environment.

    Raises:
        UnknownPairError: A pair is misspelt in the configuration.
    """
    if not _pairs:
        configure_pairs(open_config()["parameters"]["pairs"])
    return _pairs

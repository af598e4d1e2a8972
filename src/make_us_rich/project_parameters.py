"""The parameters as a whole, checked before any node runs."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from make_us_rich.alerts.alert import AlertRules
from make_us_rich.domain.errors import ParameterError
from make_us_rich.domain.pair import Pair
from make_us_rich.evaluation.calibration import Calibration
from make_us_rich.evaluation.folds import WalkForward
from make_us_rich.evaluation.gate import GateRules
from make_us_rich.exchange.budget import LEAST_WEIGHT
from make_us_rich.hourly.parameters import HourlyParameters
from make_us_rich.models.registry import TrainingParameters, requested
from make_us_rich.pipelines.converting.parameters import ConvertingParameters
from make_us_rich.pipelines.exporting.parameters import ExportingParameters
from make_us_rich.pipelines.fetching.parameters import FetchingParameters
from make_us_rich.pipelines.monitoring.parameters import MonitoringParameters
from make_us_rich.pipelines.preprocessing.parameters import PreprocessingParameters
from make_us_rich.pipelines.searching.parameters import SearchingParameters
from make_us_rich.pipelines.searching.spaces import check_spaces
from make_us_rich.runners.parameters import RunningParameters


class ProjectParameters(BaseModel):
    """Every top-level key of conf/*/parameters*.yml, and below it those of the stages.

    Attributes:
        pairs: Names such as ``btc_usdt``.
        exchange_url: Address that answers Binance's REST protocol.
        exchange_weight: What the runs of a machine may ask for in a minute, in Binance's request weight.
        history_days: Candles that are fetched and learned from.
        architectures: Names in the registry, joined by a plus.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    pairs: list[str] = Field(min_length=1)
    exchange_url: str = Field(pattern=r"^https?://")
    exchange_weight: int = Field(ge=LEAST_WEIGHT)
    history_days: int = Field(ge=1)
    architectures: str

    fetching: FetchingParameters
    preprocessing: PreprocessingParameters
    training: TrainingParameters
    walk_forward: WalkForward
    calibration: Calibration
    gate: GateRules
    converting: ConvertingParameters
    exporting: ExportingParameters
    searching: SearchingParameters
    hourly: HourlyParameters
    monitoring: MonitoringParameters
    alerts: AlertRules
    running: RunningParameters


def check_parameters(parameters: dict[str, Any]) -> ProjectParameters:
    """Validate them.

    Kedro does so too, by the nodes' type hints, but its error has neither the full path nor one line.

    Raises:
        ParameterError: A key is unknown, missing or of the wrong type; named by its full path.
        UnknownPairError: A pair is misspelt.
    """
    try:
        checked = ProjectParameters.model_validate(parameters)
    except ValidationError as exc:
        problem = exc.errors()[0]
        path = ".".join(map(str, problem["loc"]))
        what = "there is no such parameter" if problem["type"] == "extra_forbidden" else problem["msg"]
        raise ParameterError(f"parameter {path}: {what}; correct it in conf/ or in --params") from exc
    for name in checked.pairs:
        Pair.parse(name)
    requested(checked.architectures)
    check_spaces(checked.searching.spaces, checked.training)
    return checked

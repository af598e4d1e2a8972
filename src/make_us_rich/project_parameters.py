"""The parameters as a whole: the keys that may stand at the top, checked before any node runs."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from make_us_rich.domain.errors import ParameterError
from make_us_rich.domain.pair import Pair
from make_us_rich.models.registry import requested


class ProjectParameters(BaseModel):
    """Every top-level key of conf/*/parameters*.yml; the stages check what is inside theirs.

    Attributes:
        pairs: Names such as ``btc_usdt``.
        exchange_url: Address that answers Binance's REST protocol.
        history_days: Candles that are fetched and learned from.
        architectures: Names in the registry, joined by a plus.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    pairs: list[str] = Field(min_length=1)
    exchange_url: str = Field(pattern=r"^https?://")
    history_days: int = Field(ge=1)
    architectures: str

    fetching: Any
    preprocessing: Any
    training: Any
    converting: Any
    exporting: Any


def check_parameters(parameters: dict[str, Any]) -> ProjectParameters:
    """Validate the top level.

    Raises:
        ParameterError: A key is unknown, missing or of the wrong type; named by its full path.
        UnknownPairError: A pair is misspelt.
    """
    try:
        checked = ProjectParameters.model_validate(parameters)
    except ValidationError as exc:
        problem = exc.errors()[0]
        path = ".".join(map(str, problem["loc"]))
        raise ParameterError(
            f"parameter {path}: {problem['msg']}; correct it in conf/ or in --params"
        ) from exc
    for name in checked.pairs:
        Pair.parse(name)
    requested(checked.architectures)
    return checked

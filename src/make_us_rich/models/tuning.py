"""What a search has found, in place of what is configured."""

from typing import Any

from pydantic import ValidationError

from make_us_rich.domain.errors import ParameterError
from make_us_rich.domain.validation import first_problem
from make_us_rich.models.registry import TrainingParameters


def tuned(training: TrainingParameters, recipes: dict[str, dict[str, Any]]) -> TrainingParameters:
    """The parameters with the hyperparameters that a search has found in place of the configured ones.

    Args:
        training: As configured.
        recipes: All hyperparameters of an architecture by its name, as ``tuned.json`` keeps them; empty where nothing
            better than the configured ones was found.

    Raises:
        ParameterError: They are of another release.
    """
    try:
        return TrainingParameters.model_validate(training.model_dump() | recipes)
    except ValidationError as exc:
        path, wrong = first_problem(exc)
        raise ParameterError(
            f"tuned.json: {path}: not one of this release ({wrong}); delete the file in 06_models/<pair>,"
            " and search again"
        ) from exc

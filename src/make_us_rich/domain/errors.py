"""One error family: a stable code, what happened, and what to do about it."""

from pydantic import ValidationError


class MakeUsRichError(Exception):
    """An error that its reader can understand and fix; the command line prints it in one line.

    Attributes:
        code: Snake case, for programs; never changes.
        message: What happened, with the offending value.
        remedy: What to do about it, where that is known.
    """

    code: str = "error"

    def __init__(self, message: str, remedy: str | None = None) -> None:
        super().__init__(message, remedy)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}; {self.remedy}" if self.remedy else self.message


class UnknownPairError(MakeUsRichError):
    """A pair that is misspelt, not configured, or not traded on the exchange."""

    code = "unknown_pair"


class ParameterError(MakeUsRichError):
    """A parameter that is unknown, of the wrong type, or out of range."""

    code = "invalid_parameter"


class ExchangeError(MakeUsRichError):
    """The exchange refused, failed, or answered nonsense."""

    code = "exchange_failed"


class ExchangeUnreachableError(ExchangeError):
    """No answer: no network, wrong address, time-out, dropped connection."""

    code = "exchange_unreachable"


class RateLimitedError(ExchangeError):
    """HTTP 429 or 418 that outlasted the retries."""

    code = "exchange_rate_limited"


class RestrictedLocationError(ExchangeError):
    """HTTP 451: the exchange does not serve this location at this address."""

    code = "restricted_location"


class DataError(MakeUsRichError):
    """Candles or features that cannot be used: too few, malformed, not whole."""

    code = "unusable_data"


class ArtifactError(MakeUsRichError):
    """A model, scaler or manifest that is missing, corrupted or of another release."""

    code = "broken_artifact"


class MissingArtifactError(ArtifactError):
    """An artifact that is not stored."""

    code = "missing_artifact"


class NotPublishedError(ArtifactError):
    """A pair that has no published model, or had none at a past moment."""

    code = "not_published"


class ParityError(MakeUsRichError):
    """The ONNX graph and the network that it was made from disagree."""

    code = "parity_failed"


class StorageError(MakeUsRichError):
    """The store (disk or bucket) is missing, full, or refuses access."""

    code = "storage_failed"


class LockedError(MakeUsRichError):
    """Another run holds the pair."""

    code = "locked"


def first_problem(exc: ValidationError) -> tuple[str, str]:
    """What pydantic found wrong first: the full path, joined by dots, and the problem."""
    problem = exc.errors()[0]
    return ".".join(map(str, problem["loc"])), problem["msg"]

"""One error family. A message names the thing and the remedy."""


class MakeUsRichError(Exception):
    """Anything that the user can understand and mend; shown in one line by the command line."""


class UnknownPairError(MakeUsRichError):
    """A pair that is misspelt, not configured, or not traded on the exchange."""


class ParameterError(MakeUsRichError):
    """A parameter that is unknown, of the wrong type, or out of range."""


class ExchangeError(MakeUsRichError):
    """The exchange refused, failed, or answered nonsense."""


class ExchangeUnreachableError(ExchangeError):
    """No answer: no network, wrong address, time-out, dropped connection."""


class RateLimitedError(ExchangeError):
    """HTTP 429 or 418 that outlasted the retries."""


class RestrictedLocationError(ExchangeError):
    """HTTP 451: the exchange does not serve this location at this address."""


class DataError(MakeUsRichError):
    """Candles or features that cannot be used: too few, malformed, not whole."""


class ArtifactError(MakeUsRichError):
    """A model, scaler or manifest that is missing, corrupted or of another release."""


class ParityError(MakeUsRichError):
    """The ONNX graph and the network that it was made from disagree."""


class StorageError(MakeUsRichError):
    """The store (disk or bucket) is missing, full, or refuses access."""


class LockedError(MakeUsRichError):
    """Another run holds the pair."""

"""The pairs that the project is configured for, as its pipeline registry needs them."""

from make_us_rich.catalog import open_config
from make_us_rich.domain.pair import Pair

_configured: list[Pair] | None = None


def configure(names: list[str]) -> None:
    """Remember the pairs of the environment that a session runs in."""
    global _configured
    _configured = [Pair.parse(name) for name in names]


def configured() -> list[Pair]:
    """The session's pairs; outside a session, as for ``kedro registry list``, those of the default environment.

    Raises:
        UnknownPairError: A pair is misspelt in the configuration.
    """
    if _configured is None:
        configure(open_config()["parameters"]["pairs"])
    return _configured or []

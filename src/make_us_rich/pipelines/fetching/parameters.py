"""What conf/base/parameters_fetching.yml holds."""

from pydantic import Field

from make_us_rich.candles.verdict import Limits


class FetchingParameters(Limits):
    """When candles are whole (see `Limits`), and when the run stops.

    Attributes:
        fewest_candles: With fewer usable candles than this the run stops: there is nothing to work with.
    """

    fewest_candles: int = Field(ge=1)

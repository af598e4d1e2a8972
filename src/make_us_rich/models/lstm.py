"""An LSTM that corrects HAR-V by the path of the last hours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from make_us_rich.models.corrected_har import CorrectedHar

if TYPE_CHECKING:
    from make_us_rich.models.correction_network import Body


class Lstm(CorrectedHar):
    """HAR-V with its week, corrected by small LSTMs over the path of the last hours.

    What one LSTM layer remembers at the last hour is its summary of them.
    """

    def body(self, channels: int) -> Body:
        """See ``CorrectedHar``."""
        from make_us_rich.models.lstm_body import LstmBody

        return LstmBody(channels, self.hidden_size)

"""A patch transformer that corrects HAR-V by the path of the last days."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, model_validator

from make_us_rich.models.corrected_har import CorrectedHar

if TYPE_CHECKING:
    from typing import Self

    from make_us_rich.models.correction_network import Body


class PatchTransformer(CorrectedHar):
    """HAR-V with its week, corrected by small transformers over the path of the last days.

    Attention over patches of a few hours (Nie et al. 2023, "A Time Series is Worth 64 Words", ICLR).

    Attributes:
        patch_hours: Hours that make one patch; the lookback is a multiple of them.
        heads: Of the attention; the hidden size is a multiple of them.
        layers: Of attention, each with a layer for every patch by itself behind it.
    """

    patch_hours: int = Field(ge=1)
    heads: int = Field(ge=1)
    layers: int = Field(ge=1)

    @model_validator(mode="after")
    def _check_multiples(self) -> Self:
        if self.lookback % self.patch_hours:
            raise ValueError(f"lookback {self.lookback} is not a multiple of patch_hours {self.patch_hours}")
        if self.hidden_size % self.heads:
            raise ValueError(f"hidden_size {self.hidden_size} is not a multiple of heads {self.heads}")
        return self

    def body(self, channels: int) -> Body:
        """See ``CorrectedHar``."""
        from make_us_rich.models.patch_body import PatchBody

        return PatchBody(channels, self)

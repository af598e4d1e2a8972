"""A version that is ready to be published."""

from dataclasses import dataclass
from typing import Any

from make_us_rich.domain.published import Published


@dataclass(frozen=True)
class Publication:
    """One version with all that is stored of it.

    Attributes:
        published: Manifest and graphs.
        card: The model card, which ``ModelCard`` reads.
        card_text: The same in Markdown.
    """

    published: Published
    card: dict[str, Any]
    card_text: str

"""What an endpoint may refuse with; `serving.errors` renders it in the one JSON shape."""

from collections.abc import Mapping
from typing import ClassVar

from make_us_rich.domain.errors import MakeUsRichError


class ServingError(MakeUsRichError):
    """An answer other than the one that was asked for.

    Attributes:
        code: For programs; never changes.
        status: HTTP status.
        message: For people: what is wrong.
        remedy: For people: what to do about it.
        headers: To be sent with the answer.
    """

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500

    def __init__(self, message: str, remedy: str | None = None, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{message}; {remedy}" if remedy else message)
        self.message = message
        self.remedy = remedy
        self.headers = dict(headers or {})

"""What an operator may set about the API; every field is an environment variable MAKE_US_RICH_<FIELD>."""

from typing import Literal, Self

from pydantic import AliasChoices, Field, ValidationError
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from make_us_rich.domain.errors import ParameterError
from serving.accounts.settings import AccountsSettings

_DEFAULT_PASSWORDS = frozenset(
    {"", "admin", "app", "changeme", "make-us-rich", "make_us_rich", "password", "postgres", "secret"}
)


class Settings(AccountsSettings):
    """Where the API listens, what it asks how often, and what accounts may do."""

    host: str = "127.0.0.1"
    """Address to listen on; ``0.0.0.0`` for all."""

    port: int = Field(8000, ge=0, le=65_535)
    """Port to listen on; 0 for a free one."""

    env: str | None = Field(None, validation_alias=AliasChoices("env", "MAKE_US_RICH_ENV", "KEDRO_ENV"))
    """Kedro environment; also ``KEDRO_ENV``."""

    exchange_url: str | None = None
    """Where candles are; unless set, what the project's configuration says."""

    models_seconds: float = Field(20, gt=0)
    """How often the store is asked for new champions."""

    candles_seconds: float = Field(10, gt=0)
    """How often the exchange is asked for its time; candles follow when an hour is over."""

    heartbeat_seconds: float = Field(15, gt=0)
    """How often a stream without a new forecast says that it is alive."""

    streams: int = Field(500, ge=0)
    """Streams that one process keeps open at the same time."""

    shutdown_seconds: int = Field(10, ge=1)
    """How long requests may take to end when the process is told to."""

    access_log: bool = True
    """Whether each request is a line in the log."""

    log_format: Literal["json", "plain"] = "json"
    """How lines are written."""

    @classmethod
    def read(cls) -> Self:
        """The settings of this process.

        Raises:
            ParameterError: One is wrong, or production has a secret that is missing or well known.
        """
        try:
            settings = cls()
        except ValidationError as exc:
            problem = exc.errors()[0]
            name = "_".join(map(str, problem["loc"])).upper().removeprefix("MAKE_US_RICH_")
            raise ParameterError(f"MAKE_US_RICH_{name}: {problem['msg']}; correct it (docs/serving.md)") from None
        settings.check_secrets()
        return settings

    def check_secrets(self) -> None:
        """Refuse to start in production with a secret that anybody knows.

        Raises:
            ParameterError: The database is not named, or its password is missing or well known.
        """
        if self.env != "production":
            return
        if "database_url" not in self.model_fields_set:
            raise ParameterError("MAKE_US_RICH_DATABASE_URL is not set; production keeps accounts in PostgreSQL")
        try:
            url = make_url(self.database_url.get_secret_value())
        except ArgumentError:
            raise ParameterError("MAKE_US_RICH_DATABASE_URL is no address: postgresql://user:…@host/name") from None
        if url.get_backend_name() != "sqlite" and str(url.password or "").lower() in _DEFAULT_PASSWORDS:
            raise ParameterError(
                "MAKE_US_RICH_DATABASE_URL has no password, or one that anybody would try;"
                " make one: openssl rand -hex 24"
            )

"""Settings of the API; each field is an environment variable ``MAKE_US_RICH_<FIELD>``."""

import base64
import binascii
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from make_us_rich.domain.errors import ParameterError

_WELL_KNOWN_PASSWORDS = frozenset(
    {"", "admin", "app", "changeme", "make-us-rich", "make_us_rich", "password", "postgres", "secret"}
)


def _split(origins: object) -> object:
    return [each.strip() for each in origins.split(",") if each.strip()] if isinstance(origins, str) else origins


def _check_key(key: SecretStr) -> SecretStr | None:
    try:
        size = len(base64.b64decode(key.get_secret_value(), b"-_"))
    except binascii.Error:
        size = -1
    if size not in (0, 32):
        raise ValueError("is not 32 bytes in base64; make one: openssl rand -base64 32")
    return key if size else None


class Settings(BaseSettings):
    """Addresses, refresh intervals and limits of the API, and its accounts."""

    model_config = SettingsConfigDict(env_prefix="MAKE_US_RICH_", frozen=True, extra="ignore")

    host: Annotated[str, AfterValidator(lambda host: host.strip("[]"))] = "127.0.0.1"
    """Address to listen on; ``0.0.0.0`` for all IPv4 addresses, ``::`` for all addresses."""

    port: int = Field(8000, ge=0, le=65_535)
    """Port to listen on; 0 for a free one."""

    root_path: str = Field("", pattern=r"^((/[A-Za-z0-9._~-]+)+)?$")
    """Path prefix of a reverse proxy, such as ``/crypto``; by default the header ``X-Forwarded-Prefix`` decides."""

    cors_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)] = ()
    """Origins whose pages may call the API from a browser, separated by commas; ``*`` for all, empty for none."""

    env: str | None = Field(None, validation_alias=AliasChoices("env", "MAKE_US_RICH_ENV", "KEDRO_ENV"))
    """Kedro environment; also ``KEDRO_ENV``."""

    exchange_url: str | None = None
    """Address of the exchange; by default that of the project's configuration."""

    models_seconds: float = Field(20, gt=0)
    """Interval at which the store is checked for new champions."""

    candles_seconds: float = Field(10, gt=0)
    """Interval at which the exchange's time is fetched; candles are fetched once an hour has ended."""

    heartbeat_seconds: float = Field(15, gt=0)
    """Interval of the comments that keep an idle stream open."""

    streams: int = Field(500, ge=0)
    """Maximum number of open streams of a process."""

    user_streams: int = Field(20, ge=0)
    """Maximum number of open streams of a user in a process."""

    shutdown_seconds: int = Field(10, ge=1)
    """Maximum time for open requests to finish when the process is stopped."""

    access_log: bool = True
    """Whether each request is logged."""

    log_format: Literal["json", "plain"] = Field(
        "json", validation_alias=AliasChoices("log_format", "MAKE_US_RICH_LOG_FORMAT", "LOG_FORMAT")
    )
    """Format of the log; also ``LOG_FORMAT``, which runs read, too."""

    secret_key: Annotated[SecretStr, AfterValidator(_check_key)] | None = None
    """Key that encrypts the destinations of alerts, from ``openssl rand -base64 32``; without it there are none."""

    public_api_url: str | None = None
    """Address of the API for users, in the links of alerts; by default that which it listens on."""

    database_url: SecretStr = SecretStr("sqlite:///data/accounts.db")
    """A SQLite file, or ``postgresql://user:password@host/database``."""

    database_connections: int = Field(5, ge=1, le=100)
    """Connections and threads of a process."""

    database_seconds: float = Field(2.0, gt=0)
    """Time after which a request that waits for the database is answered 503."""

    monthly_calls: int = Field(1000, ge=0)
    """Calls a month of users without a limit of their own or of a role."""

    block_calls: int = Field(50, ge=1)
    """Minimum of calls that a process leases at once; a tenth of the plan if that is more, at most 1,000."""

    block_idle_seconds: float = Field(2.0, gt=0)
    """Time without a call after which a lease is returned."""

    token_seconds: float = Field(1.0, gt=0)
    """Time for which a revoked token may still pass in another process."""

    outage_seconds: float = Field(300.0, ge=0)
    """Time for which a known token passes while the database is down, and an issuer's known keys while that is down."""

    login_days: int = Field(10, ge=1)
    """Days until a login expires."""

    login_attempts: int = Field(10, ge=1)
    """Failed logins in a window for a name from one address; ten times as many for either alone."""

    registrations: int = Field(30, ge=1)
    """Registrations in a window from one address."""

    oidc_issuer: str = Field("", pattern=r"^(https?://\S+)?$")
    """OpenID Connect issuer whose users may log in, as its ID tokens name it; empty for none."""

    oidc_client_id: str = ""
    """Client that the issuer's ID tokens must be for; empty for no logins through the issuer."""

    attempt_minutes: int = Field(15, ge=1)
    """Window in which logins and registrations are counted."""

    password_memory_kib: int = Field(19_456, ge=8)
    """Memory of an argon2id hash; the default is the minimum that OWASP recommends for two passes."""

    password_threads: int = Field(2, ge=1)
    """Passwords hashed at the same time; 16 more for each thread may wait, others are answered 503."""

    @classmethod
    def read(cls) -> Self:
        """Read the environment; ParameterError if a setting is wrong or a secret of production is well known."""
        try:
            settings = cls()
        except ValidationError as exc:
            problem = exc.errors()[0]
            name = str(problem["loc"][0]).upper().removeprefix("MAKE_US_RICH_")
            raise ParameterError(f"MAKE_US_RICH_{name}: {problem['msg']}", "correct it (docs/api.md)") from None
        name = "MAKE_US_RICH_DATABASE_URL"
        if settings.env == "production" and "database_url" not in settings.model_fields_set:
            raise ParameterError(f"{name} is not set", "set it to the PostgreSQL database of the accounts")
        try:
            url = make_url(settings.database_url.get_secret_value())
        except ArgumentError:
            raise ParameterError(f"{name} is not an address", "write postgresql://user:password@host/name") from None
        is_guessable = url.get_backend_name() != "sqlite" and str(url.password or "").lower() in _WELL_KNOWN_PASSWORDS
        if settings.env == "production" and is_guessable:
            raise ParameterError(f"{name} has no password or a well-known one", "make one: openssl rand -hex 24")
        return settings

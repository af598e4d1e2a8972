"""What an operator may set about accounts; every field is an environment variable MAKE_US_RICH_<FIELD>."""

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class AccountsSettings(BaseSettings):
    """Where accounts are kept and what they may do."""

    model_config = SettingsConfigDict(env_prefix="MAKE_US_RICH_", frozen=True, extra="ignore")

    database_url: SecretStr = SecretStr("sqlite:///data/accounts.db")
    """SQLite file, or ``postgresql://user:password@host/database``."""

    database_connections: int = Field(5, ge=1, le=100)
    """Connections of one process, and as many threads."""

    database_seconds: float = Field(2.0, gt=0)
    """How long a request waits for the database before it is answered 503."""

    monthly_calls: int = Field(1000, ge=0)
    """Calls a user and month, where neither the user nor a role has a limit of its own."""

    block_calls: int = Field(50, ge=1)
    """Calls that a process sets aside for a user at once, and as many may be lost when it is killed.

    Of plans above a hundred times as many it is a hundredth of the plan, and never more than 1,000.
    """

    block_idle_seconds: float = Field(2.0, gt=0)
    """After so long without a call, what is left of a block goes back."""

    token_seconds: float = Field(1.0, gt=0)
    """How long a revoked token may still pass in another process."""

    outage_seconds: float = Field(300.0, ge=0)
    """How long a token that was known is believed while the database is down."""

    login_days: int = Field(10, ge=1)
    """How long a login lasts."""

    login_attempts: int = Field(10, ge=1)
    """Failed logins in a window for one name from one address; ten times as many for either alone."""

    registrations: int = Field(30, ge=1)
    """Registrations in a window from one address."""

    attempt_minutes: int = Field(15, ge=1)
    """The window in which attempts are counted."""

    password_memory_kib: int = Field(19_456, ge=8)
    """Memory of one argon2id hash; the default is OWASP's least, with two passes."""

    password_threads: int = Field(2, ge=1)
    """Hashes at the same time; more wait, and many more are answered 503."""

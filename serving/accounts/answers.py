"""What the endpoints about accounts take and answer."""

from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from serving.accounts.passwords import LONGEST, SHORTEST
from serving.accounts.usage import Usage

RoleName = Literal["admin", "member"]

_MOST_CALLS = 2_000_000_000


class Credentials(BaseModel):
    """A name and a password."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "ada", "password": "engine-of-1843"}]})

    name: str = Field(max_length=200, description="3 to 64 letters, digits or . _ @ + -; in any case")
    password: SecretStr = Field(max_length=LONGEST, description=f"{SHORTEST} to {LONGEST} characters")


class LoginOut(BaseModel):
    """A login; its token is not shown again."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "ada",
                    "roles": ["member"],
                    "login_token": "mul_5Yb1l0gPz0WQy6QmCk1H9mYk3o8QmS4aB2nXv7cD1eE",
                    "expires_at": "2026-01-11T09:00:00Z",
                }
            ]
        }
    )

    name: str
    roles: list[str]
    login_token: str
    expires_at: datetime


class RegisteredOut(LoginOut):
    """A login and the first API token; neither is shown again."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "ada",
                    "roles": ["member"],
                    "login_token": "mul_5Yb1l0gPz0WQy6QmCk1H9mYk3o8QmS4aB2nXv7cD1eE",
                    "expires_at": "2026-01-11T09:00:00Z",
                    "api_token": "mur_Zk3o8QmS4aB2nXv7cD1eE5Yb1l0gPz0WQy6QmCk1H9m",
                }
            ]
        }
    )

    api_token: str


class TokenOut(BaseModel):
    """An API token; it is not shown again."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"api_token": "mur_Zk3o8QmS4aB2nXv7cD1eE5Yb1l0gPz0WQy6QmCk1H9m"}]}
    )

    api_token: str


class UsageOut(BaseModel):
    """A user and the month: calls made (and set aside, for seconds, by API processes), and when it begins anew."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "ada",
                    "roles": ["member"],
                    "used": 137,
                    "limit": 1000,
                    "remaining": 863,
                    "reset_at": "2026-02-01T00:00:00Z",
                }
            ]
        }
    )

    name: str
    roles: list[str]
    used: int
    limit: int
    remaining: int
    reset_at: datetime

    @classmethod
    def of(cls, usage: Usage) -> Self:
        """As the database has it."""
        return cls(
            name=usage.user.name,
            roles=[role.name for role in usage.user.roles],
            used=usage.used,
            limit=usage.limit,
            remaining=max(0, usage.limit - usage.used),
            reset_at=usage.reset_at,
        )

    def less(self, held: int) -> Self:
        """Without the calls that are only set aside."""
        used = self.used - held
        return self.model_copy(update={"used": used, "remaining": max(0, self.limit - used)})


class UsersOut(BaseModel):
    """Users in the order of their names."""

    users: list[UsageOut]
    next_after: str | None = Field(description="For the next page, as `after`; null on the last one")


class ConsumptionOut(BaseModel):
    """The month of everybody together."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"used": 48211, "users": 73}]})

    used: int
    users: int


class RolesIn(BaseModel):
    """All the roles that a user is to have."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"roles": ["admin", "member"]}]})

    roles: list[RoleName] = Field(max_length=10)


class LimitIn(BaseModel):
    """Calls a month; null for none of its own."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"monthly_limit": 20000}]})

    monthly_limit: int | None = Field(ge=0, le=_MOST_CALLS)


class PlanOut(BaseModel):
    """A role and the calls a month that come with it; null: those of the settings."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"role": "member", "monthly_limit": None}]})

    role: str
    monthly_limit: int | None


class ClosedOut(BaseModel):
    """How many logins were ended."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"closed": 2}]})

    closed: int

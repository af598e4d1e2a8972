"""Random tokens: shown once, stored as hashes."""

import hashlib
import re
import secrets
from datetime import datetime

from sqlalchemy import delete
from sqlalchemy.orm import Session

from serving.accounts.tables import ApiToken

API = "mur_"
LOGIN = "mul_"

_SHAPE = re.compile(r"mu[rl]_[A-Za-z0-9_-]{43}")


def new_token(prefix: str) -> str:
    """A token of 256 random bits; the prefix tells people, and scanners for leaked secrets, what it is."""
    return prefix + secrets.token_urlsafe(32)


def has_shape(token: str) -> bool:
    """Whether a text may be a token at all."""
    return _SHAPE.fullmatch(token) is not None


def hash_of(token: str) -> str:
    """SHA-256, hexadecimal.

    It is looked up whole, so that the time which that takes tells nothing about a token that an attacker does not know.
    """
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def issue(session: Session, user_id: int, now: datetime) -> str:
    """Store a new API token; returns it, for the only time."""
    token = new_token(API)
    session.add(ApiToken(user_id=user_id, hash=hash_of(token), created_at=now))
    return token


def revoke(session: Session, user_id: int) -> None:
    """No API token of a user is good any more."""
    session.execute(delete(ApiToken).where(ApiToken.user_id == user_id))


def rotate(session: Session, user_id: int, now: datetime) -> str:
    """A new API token in place of all that there are."""
    revoke(session, user_id)
    return issue(session, user_id, now)

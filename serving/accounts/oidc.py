"""ID tokens of an OpenID Connect issuer."""

import asyncio
import hashlib
import logging
from datetime import datetime
from time import monotonic

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from serving.errors import UnauthorizedError, UnavailableError
from serving.settings import Settings

KEYS_SECONDS = 60.0
"""Age at which the issuer's keys are fetched again, at the next login: a new key is unknown for that long at most."""
RETRY_SECONDS = 10.0
"""Time after a failed fetch in which the issuer is not asked again."""

_ASYMMETRIC = [f"{family}{bits}" for family in ("ES", "PS", "RS") for bits in (256, 384, 512)]
_log = logging.getLogger(__name__)
_REGISTRY = JWSRegistry(algorithms=_ASYMMETRIC, strict_check_header=False)


class IdTokens:
    """Verifies ID tokens with the keys of the settings' issuer."""

    def __init__(self, settings: Settings) -> None:
        self._issuer, self._client_id = settings.oidc_issuer, settings.oidc_client_id
        self._keys: KeySet | None = None
        self._fetched_at = self._failed_at = float("-inf")
        self._problem = ""
        self._max_age = max(settings.outage_seconds, KEYS_SECONDS)
        self._lock = asyncio.Lock()

    async def verify(self, token: str, now: datetime) -> tuple[str, str]:
        """The user of a token: SHA-256 of issuer and subject, hexadecimal, and the name at the issuer or nothing.

        Raises:
            UnauthorizedError: The signature, issuer, audience or times are not valid.
            UnavailableError: The issuer does not answer.
        """
        keys = await self._load_keys()
        try:
            claims = jwt.decode(token, keys, registry=_REGISTRY).claims
            jwt.JWTClaimsRegistry(
                now=int(now.timestamp()),
                leeway=60,
                iss={"essential": True, "value": self._issuer},
                aud={"essential": True, "value": self._client_id},
                azp={"value": self._client_id},
                exp={"essential": True},
                sub={"essential": True},
            ).validate(claims)
        except (JoseError, ValueError) as exc:
            raise UnauthorizedError(f"the ID token is not valid: {exc}", "log in again at the issuer") from exc
        subject = hashlib.sha256(f"{claims['iss']}\0{claims['sub']}".encode()).hexdigest()
        return subject, str(claims.get("preferred_username") or claims.get("email") or "")

    async def _load_keys(self) -> KeySet:
        async with self._lock:
            now = monotonic()
            if now - self._fetched_at > KEYS_SECONDS and now - self._failed_at > RETRY_SECONDS:
                try:
                    async with httpx.AsyncClient(timeout=5) as http:
                        url = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
                        metadata = (await http.get(url)).raise_for_status().json()
                        keys = (await http.get(metadata["jwks_uri"])).raise_for_status().json()
                    self._keys, self._fetched_at = KeySet.import_key_set(keys), monotonic()
                except (httpx.HTTPError, JoseError, KeyError, TypeError, ValueError) as exc:
                    self._problem, self._failed_at = f"the keys of {self._issuer} cannot be read: {exc}", monotonic()
                    _log.warning(self._problem)
            if self._keys is None or monotonic() - self._fetched_at > self._max_age:
                raise UnavailableError(self._problem, code="unavailable")
            return self._keys

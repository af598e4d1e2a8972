"""Logins with the ID tokens of a real OpenID Connect provider."""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from network import HttpServer, free_port, refusal
from processes import OidcProvider
from serving.accounts import oidc
from serving.errors import UnavailableError
from serving.settings import Settings

from ..conftest import Stopwatch
from .conftest import PASSWORD, Client, Clock

pytestmark = pytest.mark.anyio

CLIENT = "make-us-rich"


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OidcProvider]:
    started = OidcProvider(tmp_path_factory.mktemp("provider"), free_port(), {}).start()
    yield started
    started.stop()


@pytest.fixture
async def client(
    open_client: Callable[..., Awaitable[Client]], database_url: str, provider: OidcProvider, clock: Clock
) -> Client:
    """A client of the provider's users, whose clock is the machine's."""
    clock.now = datetime.now(UTC)
    return await open_client(database_url, oidc_issuer=provider.url, oidc_client_id=CLIENT)


async def log_in(client: Client, token: str) -> httpx.Response:
    return await client.request("POST", "/login/oidc", json={"id_token": token})


async def test_a_subject_is_one_user_without_a_password_and_takes_no_name_of_another(
    client: Client, provider: OidcProvider
) -> None:
    await client.register("ada")
    token = provider.id_token("1815", CLIENT, preferred_username="Ada", email="ada@example.com")

    first, second = (await log_in(client, token)).json(), (await log_in(client, token)).json()
    other = (await log_in(client, provider.id_token("1906", CLIENT, email="Grace@example.com"))).json()
    invalid = (await log_in(client, provider.id_token("1912", CLIENT, preferred_username="Alan T."))).json()

    assert first["name"] == second["name"] != "ada"
    assert [first["name"][:4], other["name"], invalid["name"][:5]] == ["ada-", "grace@example.com", "user-"]
    assert (await client.request("GET", "/me", second["login_token"])).json()["roles"] == ["member"]
    assert refusal(await client.log_in(first["name"], "")) == (401, "wrong_password")

    admin = (await client.register_admin())["login_token"]
    link = await client.request("POST", f"/admin/users/{first['name']}/password-reset", admin)
    new = {"reset_token": link.json()["reset_token"], "new_password": PASSWORD}
    login = (await client.request("POST", "/password-reset", json=new)).json()["login_token"]
    gone = await client.request("POST", "/me/deletion", login, json={"password": PASSWORD})
    assert gone.status_code == 204
    assert (await log_in(client, token)).json()["name"] == first["name"]
    assert len(await client.rows("users")) == 6, "a deleted user is not found again"


async def test_only_a_current_token_of_the_issuer_for_this_client_is_accepted(
    client: Client, provider: OidcProvider, clock: Clock
) -> None:
    good = provider.id_token("1815", CLIENT)
    key = httpx.get(f"{provider.url}/jwks", trust_env=False).json()["keys"][0]["kid"]
    claims = {"iss": provider.url, "aud": CLIENT, "sub": "1815", "exp": clock.now.timestamp() + 60}
    unsigned = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    refused = {
        "for another client": provider.id_token("1815", "another"),
        "signed with another key": jwt.encode({"alg": "RS256", "kid": key}, claims, RSAKey.generate_key()),
        "with an unknown key": jwt.encode({"alg": "RS256", "kid": "unknown"}, claims, RSAKey.generate_key()),
        "not signed": f"{unsigned}.{good.split('.')[1]}.",
        "no token": "ada",
    }
    for reason, token in refused.items():
        assert refusal(await log_in(client, token)) == (401, "unauthorized"), reason
    assert (await log_in(client, good)).status_code == 200
    clock.advance(hours=2)
    assert refusal(await log_in(client, good)) == (401, "unauthorized"), "expired"


async def test_known_keys_outlast_an_outage_of_the_issuer_which_is_seldom_asked_again(
    stopwatch: Stopwatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oidc, "monotonic", stopwatch)
    key, now, status = RSAKey.generate_key(), datetime.now(UTC), 503
    with HttpServer() as issuer:
        url = f"http://{issuer.address}"
        jwks = {"jwks_uri": f"{url}/jwks", "keys": [key.as_dict(private=False)]}
        issuer.respond = lambda *_: (status, json.dumps(jwks), {})
        ids = oidc.IdTokens(Settings(oidc_issuer=url, oidc_client_id=CLIENT, outage_seconds=300))
        claims = {"iss": url, "aud": CLIENT, "sub": "1815", "exp": now.timestamp() + 60}
        token = jwt.encode({"alg": "RS256"}, claims, key)

        async def log_ins(seconds: float) -> tuple[int, int]:
            """So many seconds later, the logins that succeed of three, and the requests to the issuer until then."""
            stopwatch.seconds += seconds
            found = await asyncio.gather(*(ids.verify(token, now) for _ in range(3)), return_exceptions=True)
            assert {type(each) for each in found} <= {tuple, UnavailableError}
            return sum(isinstance(each, tuple) for each in found), len(issuer.requests)

        assert [await log_ins(each) for each in (0, 1, oidc.RETRY_SECONDS)] == [(0, 1), (0, 1), (0, 2)]
        status = 200
        assert [await log_ins(each) for each in (1, oidc.RETRY_SECONDS)] == [(0, 2), (3, 4)]
        status = 503
        assert [await log_ins(each) for each in (1, oidc.KEYS_SECONDS, 1)] == [(3, 4), (3, 5), (3, 5)]
        assert [await log_ins(each) for each in (200, 100)] == [(3, 6), (0, 7)]


async def test_another_issuer_none_and_one_that_is_down_are_errors(
    open_client: Callable[..., Awaitable[Client]], database_url: str, provider: OidcProvider
) -> None:
    token = provider.id_token("1815", CLIENT)
    alias = provider.url.replace("127.0.0.1", "localhost")
    down = f"http://127.0.0.1:{free_port()}"
    for issuer, error in (
        (alias, (401, "unauthorized")),
        ("", (404, "not_found")),
        (down, (503, "unavailable")),
    ):
        client = await open_client(database_url, oidc_issuer=issuer, oidc_client_id=CLIENT)
        assert refusal(await log_in(client, token)) == error

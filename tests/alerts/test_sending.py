"""Messages through Apprise to a real server, without any secret."""

import pytest

from make_us_rich.alerts.sending import ADDRESSES, MAX_LENGTH, mask, send_message, send_test
from make_us_rich.domain.errors import ParameterError
from network import free_port

SECRET = "hunter22hunter"


def test_a_message_arrives_at_every_address_of_the_environment(monkeypatch: pytest.MonkeyPatch, webhook) -> None:
    monkeypatch.setenv(ADDRESSES, f"{webhook.url}, {webhook.url}/2")

    assert send_message("a title", "x" * 5_000)
    assert sorted(webhook.paths) == ["/hook/s3cr3t-path", "/hook/s3cr3t-path/2"]
    assert {message["title"] for message in webhook.messages} == {"a title"}
    assert {len(message["message"]) for message in webhook.messages} == {MAX_LENGTH}


def test_a_message_that_does_not_arrive_is_logged_without_its_address(
    webhook, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    webhook.status = 500
    for address in (webhook.url, "nonsense-s3cr3t"):
        monkeypatch.setenv(ADDRESSES, address)
        assert not send_message("a title", "a body")

    assert f"the message was not delivered to address 1 of {ADDRESSES}" in caplog.text
    assert f"address 1 of {ADDRESSES} is unknown to Apprise" in caplog.text
    assert "s3cr3t" not in caplog.text


def test_a_message_that_one_address_takes_is_sent_and_the_others_are_logged(
    webhook, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    dead = f"json://127.0.0.1:{free_port()}/s3cr3t"
    monkeypatch.setenv(ADDRESSES, f"{dead} nonsense-s3cr3t {webhook.url}")

    assert send_message("a title", "a body")
    assert len(webhook.messages) == 1
    assert caplog.messages == [
        f"the message was not delivered to address 1 of {ADDRESSES}",
        f"address 2 of {ADDRESSES} is unknown to Apprise",
    ]
    with pytest.raises(ParameterError, match="was not delivered to every address"):
        send_test()


@pytest.mark.parametrize(
    "text",
    [
        f"postgresql://app:{SECRET}@db/accounts does not answer",
        f"GET http://api/predict?currency=btc&token={SECRET} failed",
        f"https://bucket.s3/x?X-Amz-Signature={SECRET}&X-Amz-Credential={SECRET}",
        f"posting to https://discord.com/api/webhooks/123/{SECRET} failed",
        f"posting to https://discordapp.com/api/webhooks/123/{SECRET}",
        f"https://hooks.slack.com/services/T0/B0/{SECRET}",
        f"https://api.telegram.org/bot{SECRET}/sendMessage",
        f"discord://123/{SECRET}/",
        f"Authorization: Bearer {SECRET}",
    ],
)
def test_credentials_in_addresses_are_masked(text: str) -> None:
    assert SECRET not in mask(text, {})
    assert "***" in mask(text, {})


@pytest.mark.parametrize("name", ["AWS_SECRET_ACCESS_KEY", "MAKE_US_RICH_ALERT_URLS", "POSTGRES_PASSWORD", "API_TOKEN"])
def test_values_of_secret_variables_are_masked(name: str) -> None:
    assert mask(f"refused: {SECRET}!", {name: SECRET}) == "refused: ***!"
    assert mask("to first-one and second-one", {name: "first-one, second-one"}) == "to *** and ***"

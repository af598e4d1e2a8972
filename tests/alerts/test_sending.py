"""Messages through Apprise to a real server."""

import logging

import pytest

from make_us_rich.alerts.sending import LONGEST, VARIABLE, AppriseSender


def test_a_message_arrives(webhook) -> None:
    assert AppriseSender([webhook.address]).send("a title", "a body")

    (message,) = webhook.messages
    assert (message["title"], message["message"]) == ("a title", "a body")


def test_every_address_is_sent_to(webhook) -> None:
    AppriseSender([webhook.address, f"{webhook.address}/2"]).send("a title", "a body")

    assert sorted(webhook.paths) == ["/hook/s3cr3t-path", "/hook/s3cr3t-path/2"]


def test_a_server_that_refuses_is_told_without_its_address(webhook, caplog: pytest.LogCaptureFixture) -> None:
    webhook.status = 500

    assert not AppriseSender([webhook.address]).send("a title", "a body")
    assert "did not arrive everywhere; it is tried again" in caplog.text
    assert "s3cr3t" not in caplog.text


def test_nothing_listens_and_nothing_breaks(webhook, caplog: pytest.LogCaptureFixture) -> None:
    webhook.stop()

    with caplog.at_level(logging.INFO):
        assert not AppriseSender([webhook.address]).send("a title", "a body")
    assert "s3cr3t" not in caplog.text


def test_an_address_that_is_none_is_told_by_its_number(caplog: pytest.LogCaptureFixture) -> None:
    assert not AppriseSender(["nonsense-s3cr3t"]).send("a title", "a body")
    assert f"address 1 of {VARIABLE} is none that Apprise understands" in caplog.text
    assert "s3cr3t" not in caplog.text


def test_addresses_come_from_the_environment_alone(monkeypatch: pytest.MonkeyPatch, webhook) -> None:
    monkeypatch.setenv(VARIABLE, f"{webhook.address}, {webhook.address}/2")
    assert AppriseSender.from_environment().send("a title", "a body")
    assert len(webhook.messages) == 2

    monkeypatch.delenv(VARIABLE)
    assert AppriseSender.from_environment().silent


def test_a_long_message_is_cut(webhook) -> None:
    AppriseSender([webhook.address]).send("a title", "x" * 5_000)

    assert len(webhook.messages[0]["message"]) == LONGEST

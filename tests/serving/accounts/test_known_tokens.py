"""Tokens in memory."""

from serving.accounts.known_tokens import KnownTokens
from serving.accounts.quotas import Owner


def test_unknown_tokens_take_a_bounded_amount_of_memory() -> None:
    tokens = KnownTokens(fresh=1, trusted=300)
    for number in range(10_001):
        tokens.learn([str(number)], {}, now=0)
    assert not tokens.is_unknown("0", now=0)
    assert tokens.is_unknown("1", now=0)
    assert tokens.is_unknown("10000", now=0)


def test_an_unknown_token_is_asked_for_again_after_five_seconds() -> None:
    tokens = KnownTokens(fresh=1, trusted=300)
    tokens.learn(["a"], {}, now=0)
    assert tokens.is_unknown("a", now=4.9)
    assert not tokens.is_unknown("a", now=5)


def test_a_good_token_is_fresh_for_a_second_and_trusted_for_longer() -> None:
    tokens = KnownTokens(fresh=1, trusted=300)
    owner = Owner(1, 1000)
    tokens.learn(["a"], {"a": owner}, now=0)
    assert (tokens.fresh("a", 0.9), tokens.fresh("a", 1)) == (owner, None)
    assert (tokens.trusted("a", 299), tokens.trusted("a", 300)) == (owner, None)


def test_a_token_that_nobody_uses_is_forgotten() -> None:
    tokens = KnownTokens(fresh=1, trusted=300)
    tokens.learn(["a"], {"a": Owner(1, 1000)}, now=0)
    assert tokens.active(0.5) == ["a"]
    assert tokens.active(300) == []
    assert tokens.trusted("a", 299) is None

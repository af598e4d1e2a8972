import pytest

from make_us_rich.domain.errors import ExchangeError
from make_us_rich.exchange.retries import Failure, Retries


class DroppedError(Exception):
    """What the requests of these tests raise."""


def failing(times, answer="candles"):
    left = iter([True] * times)

    def request():
        if next(left, False):
            raise DroppedError
        return answer

    return request


def run(times, failure=None, **options):
    waits = []
    retries = Retries(sleep=waits.append, **options)
    failure = failure or Failure(ExchangeError("dropped"))
    return retries.ask(failing(times), (DroppedError,), lambda exc: failure), waits


def test_good_answer_is_not_waited_for():
    assert run(0) == ("candles", [])


def test_waits_double():
    assert run(3) == ("candles", [0.5, 1.0, 2.0])


def test_error_of_the_last_failure_is_raised_from_its_cause():
    with pytest.raises(ExchangeError, match="dropped") as caught:
        run(4)
    assert isinstance(caught.value.__cause__, DroppedError)


def test_failure_that_cannot_get_better_is_raised_at_once():
    with pytest.raises(ExchangeError, match="dropped"):
        run(1, Failure(ExchangeError("dropped"), tries=1))


def test_wait_that_the_exchange_asks_for_is_kept():
    assert run(2, Failure(ExchangeError("slow down"), retry_after=9.0)) == ("candles", [9.0, 9.0])


def test_wait_is_never_shorter_than_our_own():
    assert run(2, Failure(ExchangeError("slow down"), retry_after=0.0)) == ("candles", [0.5, 1.0])


def test_longest_wait_is_a_limit():
    failure = Failure(ExchangeError("slow down"), retry_after=61.0)
    with pytest.raises(ExchangeError, match="slow down"):
        run(1, failure)
    assert run(1, failure, longest_wait=61.0) == ("candles", [61.0])


def test_what_is_not_expected_is_not_caught():
    def request():
        raise KeyError("serverTime")

    with pytest.raises(KeyError):
        Retries().ask(request, (DroppedError,), lambda exc: Failure(ExchangeError("dropped")))

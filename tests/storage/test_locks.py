"""One run a pair, in a folder and in a bucket."""

import json
import logging
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime

import pytest

from make_us_rich.domain.errors import LockedError, StorageError
from make_us_rich.locks import pair_lock

NOON = datetime(2025, 1, 1, 12, 0, 3, tzinfo=UTC)

HOLDER = """
import json, sys, time
from make_us_rich.locks import pair_lock
with pair_lock(sys.argv[1], "btc_usdt", json.loads(sys.argv[2]), stale=1):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture(params=["folder", "bucket"])
def where(request, tmp_path):
    """Root and credentials."""
    if request.param == "folder":
        return str(tmp_path), {}
    return f"s3://{request.getfixturevalue('bucket')}/store", request.getfixturevalue("s3_server").credentials()


def started(root: str, credentials: dict) -> subprocess.Popen:
    arguments = [sys.executable, "-c", HOLDER, root, json.dumps(credentials)]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"held\n"
    return process


def test_a_second_run_is_refused_at_once_and_told_who_holds_it(where):
    with (
        pair_lock(where[0], "btc_usdt", where[1], now=lambda: NOON),
        pytest.raises(LockedError, match=r"btc_usdt: another run \(process \d+, since 12:00:03 UTC\) holds it; wait"),
        pair_lock(where[0], "btc_usdt", where[1]),
    ):
        pass


def test_another_pair_is_free(where):
    with pair_lock(where[0], "btc_usdt", where[1]), pair_lock(where[0], "eth_usdt", where[1]) as held:
        held.check()


def test_the_pair_is_free_when_the_run_has_ended(where):
    for _ in range(2):
        with pair_lock(where[0], "btc_usdt", where[1]) as held:
            held.check()


def test_the_pair_is_free_when_the_run_has_failed(where):
    with pytest.raises(RuntimeError, match="training failed"), pair_lock(where[0], "btc_usdt", where[1]):
        raise RuntimeError("training failed")
    with pair_lock(where[0], "btc_usdt", where[1]):
        pass


def test_a_killed_run_does_not_hold_the_pair_for_long(where):
    with started(*where) as run:
        with (
            pytest.raises(LockedError, match=rf"process {run.pid}, since"),
            pair_lock(where[0], "btc_usdt", where[1]),
        ):
            pass
        run.send_signal(signal.SIGKILL)
    if where[1]:
        time.sleep(2.1)  # A lease goes stale by the store's clock, whose times of objects are whole seconds.
    with pair_lock(where[0], "btc_usdt", where[1], stale=1):
        pass


def test_a_lease_is_kept_by_renewing_it(s3_server, bucket):
    where = (f"s3://{bucket}", "btc_usdt", s3_server.credentials())
    with pair_lock(*where, renew=0.3, stale=1) as held:
        time.sleep(2.1)
        with pytest.raises(LockedError, match="another run"), pair_lock(*where, stale=1):
            pass
        held.check()


def test_only_one_of_many_takes_over_a_stale_lease(s3_server, bucket):
    where = (f"s3://{bucket}", "btc_usdt", s3_server.credentials())
    lost = pair_lock(*where, renew=99, stale=99)
    lost.__enter__()
    time.sleep(2.1)
    results = []
    ready, done = threading.Barrier(6), threading.Event()

    def take() -> None:
        ready.wait()
        try:
            with pair_lock(*where, stale=1):
                results.append("taken")
                done.wait(10)
        except LockedError:
            results.append("refused")

    takers = [threading.Thread(target=take) for _ in range(6)]
    for taker in takers:
        taker.start()
    while len(results) < 6:
        time.sleep(0.01)
    done.set()
    for taker in takers:
        taker.join()
    assert sorted(results) == ["refused"] * 5 + ["taken"]
    lost.__exit__(None, None, None)


def test_a_run_that_lost_its_lease_is_told_before_it_publishes(s3_server, bucket):
    where = (f"s3://{bucket}", "btc_usdt", s3_server.credentials())
    with pair_lock(*where, renew=2.3, stale=99) as held:
        time.sleep(2.1)
        with pair_lock(*where, stale=1) as other:
            time.sleep(0.5)
            with pytest.raises(LockedError, match="another run may hold the pair, so run it again"):
                held.check()
            other.check()


def test_a_lost_lease_is_not_deleted_under_its_new_holder(s3_server, bucket):
    where = (f"s3://{bucket}", "btc_usdt", s3_server.credentials())
    lost = pair_lock(*where, renew=99, stale=99)
    lost.__enter__()
    time.sleep(2.1)
    with pair_lock(*where, stale=1):
        lost.__exit__(None, None, None)
        with pytest.raises(LockedError, match="another run"), pair_lock(*where, stale=1):
            pass


def test_a_store_that_is_gone_at_the_end_does_not_fail_the_run(s3_server, bucket, caplog, monkeypatch):
    with (
        caplog.at_level(logging.WARNING),
        pair_lock(f"s3://{bucket}", "btc_usdt", s3_server.credentials()) as held,
    ):
        monkeypatch.setattr(held, "_head", lambda: (_ for _ in ()).throw(OSError(16, "busy")))
    assert "btc_usdt: the lease was not given back: the store is busy" in caplog.text


def test_a_missing_bucket_is_an_error_and_no_lock(s3_server):
    with (
        pytest.raises(StorageError, match="the bucket does not exist; create it"),
        pair_lock("s3://no-such-bucket/x", "btc_usdt", s3_server.credentials()),
    ):
        pass


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "data").touch()
    with pytest.raises(StorageError, match=r"data/.locks"), pair_lock(str(tmp_path / "data"), "btc_usdt"):
        pass

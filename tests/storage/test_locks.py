"""One run a pair, in a folder and in a bucket."""

import json
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from kedro.io import DataCatalog

from make_us_rich.datasets.files import OptionalJSONDataset
from make_us_rich.domain.errors import LockedError, StorageError
from make_us_rich.locks import file_lock, pair_lock
from make_us_rich.runners.pair_process import RunStoppedError
from network import wait_until

HOLDER = """
import json, sys, time
from make_us_rich.locks import pair_lock
with pair_lock(sys.argv[1], "btc_usdt", json.loads(sys.argv[2]), stale=1):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def lease(s3_server, bucket):
    """Root, pair and credentials of a bucket."""
    return f"s3://{bucket}/store", "btc_usdt", s3_server.credentials()


@pytest.fixture(params=["folder", "bucket"])
def where(request, tmp_path):
    """Root, pair and credentials."""
    return request.getfixturevalue("lease") if request.param == "bucket" else (str(tmp_path), "btc_usdt", {})


def test_a_second_run_is_refused_at_once_and_told_who_holds_it(where):
    message = r"btc_usdt: another run \(process \d+, since \d\d:.* UTC\) holds it; wait"
    with pair_lock(*where), pytest.raises(LockedError, match=message), pair_lock(*where):
        pass


@pytest.mark.parametrize("error", [None, RuntimeError("training failed")])
def test_the_pair_is_free_when_the_run_has_ended_or_failed_and_another_one_always(where, error):
    with suppress(RuntimeError), pair_lock(*where):
        with pair_lock(where[0], "eth_usdt", where[2]) as other:
            other.check()
        if error:
            raise error
    with pair_lock(*where) as held:
        held.check()


def test_a_killed_run_does_not_hold_the_pair_for_long(where):
    arguments = [sys.executable, "-c", HOLDER, where[0], json.dumps(where[2])]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE) as run:
        assert run.stdout.readline() == b"held\n"
        with pytest.raises(LockedError, match=rf"process {run.pid}, since"), pair_lock(*where):
            pass
        run.send_signal(signal.SIGKILL)
    if where[2]:
        time.sleep(2.1)  # A lease goes stale by the store's clock, whose times of objects are whole seconds.
    with pair_lock(*where, stale=1):
        pass


def test_a_lease_is_retained_by_renewing_it(lease):
    with pair_lock(*lease, renew=2, stale=6) as held:  # A request must end within the interval of the renewals.
        time.sleep(7.1)
        with pytest.raises(LockedError, match="another run"), pair_lock(*lease, stale=6):
            pass
        held.check()


def test_only_one_of_many_takes_over_a_stale_lease_and_keeps_it(lease):
    lost, done = pair_lock(*lease, renew=99, stale=99), threading.Event()
    lost.__enter__()
    time.sleep(2.1)

    def take() -> str:
        try:
            with pair_lock(*lease, stale=1):
                done.wait(60)
                return "taken"
        except LockedError:
            return "refused"

    with ThreadPoolExecutor(6) as pool:
        takers = [pool.submit(take) for _ in range(6)]
        wait_until(lambda: sum(taker.done() for taker in takers) == 5)
        lost.__exit__(None, None, None)
        with pytest.raises(LockedError, match="another run"), pair_lock(*lease):
            pass  # The run that lost the lease does not delete its new holder's.
        done.set()
        assert sorted(taker.result() for taker in takers) == ["refused"] * 5 + ["taken"]


def test_a_run_that_lost_its_lease_is_reported_before_it_publishes(lease):
    with pair_lock(*lease, renew=6, stale=99) as held:
        time.sleep(2.1)
        with pair_lock(*lease, stale=1):
            time.sleep(6)  # Until the next renewal.
            with pytest.raises(LockedError, match="another run may hold the pair, so run it again"):
                held.check()


def test_a_signal_that_stops_the_run_is_not_lost_while_the_lease_is_released(lease, monkeypatch):
    def stop(held):
        raise RunStoppedError("the run was stopped", "run the pair again")

    with pytest.raises(RunStoppedError), pair_lock(*lease) as held:
        monkeypatch.setattr(type(held), "_head", stop)


def test_a_file_is_held_while_it_is_changed_and_free_afterwards(where):
    folder, _, credentials = where
    catalog = DataCatalog({"runs": OptionalJSONDataset(filepath=f"{folder}/runs.json", credentials=credentials)})
    with file_lock(catalog, "runs"), pytest.raises(LockedError), pair_lock(folder, "runs", credentials):
        pass
    with pair_lock(folder, "runs", credentials):
        pass


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "data").touch()
    with pytest.raises(StorageError, match=r"data/.locks"), pair_lock(str(tmp_path / "data"), "btc_usdt"):
        pass

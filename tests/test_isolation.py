"""What a call in a child process returns, raises and leaves behind."""

import os
import sys
import threading

import pytest

from fersearch.errors import FersearchError, UsageError
from fersearch.isolation import in_child

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux forks here")
ABSENT = "a_library_that_is_not_loaded"


def test_the_answer_comes_from_a_process_that_has_ended():
    found, pid = in_child(lambda: ({"n": [1.5]}, os.getpid()), ABSENT)
    assert found == {"n": [1.5]}
    assert pid != os.getpid()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_what_the_child_loads_is_not_loaded_here(monkeypatch):
    monkeypatch.delitem(sys.modules, "this", raising=False)

    def load() -> bool:
        sys.modules["this"] = sys.modules[__name__]
        return "this" in sys.modules

    assert in_child(load, ABSENT)
    assert "this" not in sys.modules


def test_an_error_keeps_its_kind_message_and_hint():
    def fail() -> None:
        raise UsageError("no such thing", "give another")

    with pytest.raises(UsageError) as caught:
        in_child(fail, ABSENT)
    assert (caught.value.message, caught.value.hint) == ("no such thing", "give another")


def test_a_child_that_dies_is_told():
    with pytest.raises(FersearchError, match=f"the process that used {ABSENT} ended with status -9 and no answer"):
        in_child(lambda: os.kill(os.getpid(), 9), ABSENT)


def test_what_is_loaded_already_and_what_has_threads_stays_in_this_process():
    assert in_child(os.getpid, "pytest") == os.getpid()
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    try:
        assert in_child(os.getpid, ABSENT) == os.getpid()
    finally:
        over.set()
        thread.join()

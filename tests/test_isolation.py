"""What a call in a child process returns, raises and leaves behind.

A process of tests may have threads of Ray, with which nothing is forked, so each test asks a fresh interpreter.
"""

import os
import subprocess
import sys
import threading

import pytest

from fersearch.isolation import in_child

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux forks here")
ABSENT = "a_library_that_is_not_loaded"
HEAD = f"""
import os, sys
from fersearch.errors import FersearchError, UsageError
from fersearch.isolation import in_child
ABSENT = {ABSENT!r}
"""


def fresh(code: str) -> str:
    """Run code in an interpreter without threads and return what it prints."""
    done = subprocess.run([sys.executable, "-c", HEAD + code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_answer_comes_from_a_process_that_has_ended():
    code = """
found, pid = in_child(lambda: ({"n": [1.5]}, os.getpid()), ABSENT)
try:
    os.kill(pid, 0)
except ProcessLookupError:
    print(found, pid != os.getpid())
"""
    assert fresh(code) == "{'n': [1.5]} True\n"


def test_what_the_child_loads_is_not_loaded_here():
    code = """
def load():
    sys.modules["this"] = sys
    return "this" in sys.modules

print(in_child(load, ABSENT), "this" in sys.modules)
"""
    assert fresh(code) == "True False\n"


def test_an_error_keeps_its_kind_message_and_hint():
    code = """
def fail():
    raise UsageError("no such thing", "give another")

try:
    in_child(fail, ABSENT)
except UsageError as error:
    print(error.message, "|", error.hint)
"""
    assert fresh(code) == "no such thing | give another\n"


def test_a_child_that_dies_is_reported():
    code = """
try:
    in_child(lambda: os.kill(os.getpid(), 9), ABSENT)
except FersearchError as error:
    print(error.message)
"""
    assert fresh(code) == f"the process that used {ABSENT} ended with status -9 and no result\n"


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

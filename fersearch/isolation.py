"""Calls in a short-lived child process, so that the libraries they load do not stay in memory."""

import multiprocessing
import sys
import threading
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import TypeVar

from fersearch.errors import FersearchError

Result = TypeVar("Result")


def in_child(call: Callable[[], Result], library: str) -> Result:
    """Return the result of `call`, computed in a forked process if that keeps `library` out of this one.

    It is called in this process if the library is loaded already, or if other threads run: a fork would copy the
    locks that they hold. Its result and exceptions must be picklable.

    Raises:
        FersearchError: the child ended without a result, for example killed for its memory.
    """
    if library in sys.modules or threading.active_count() > 1 or sys.platform != "linux":
        return call()
    ours, theirs = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(target=_answer, args=(theirs, call), daemon=True)
    with warnings.catch_warnings():
        # the warning is about the threads of BLAS, which stops and restarts them around a fork by itself
        warnings.simplefilter("ignore", DeprecationWarning)
        child.start()
    theirs.close()
    try:
        result, error = ours.recv()
    except EOFError:
        child.join()
        raise FersearchError(
            f"the process that used {library} ended with status {child.exitcode} and no result",
            "it may have taken more memory than there is",
        ) from None
    finally:
        child.kill()
        child.join()
        ours.close()
    if error is not None:
        raise error
    return result  # type: ignore[no-any-return]


def _answer(connection: Connection, call: Callable[[], object]) -> None:
    answer: tuple[object, Exception | None]
    try:
        answer = call(), None
    except Exception as error:
        answer = None, error
    connection.send(answer)

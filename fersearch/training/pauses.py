"""The pauses of this process between two steps, while another trial is measured; clocks do not count them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

_ended: list[float] = []


def paused() -> float:
    """Return the wall seconds of all pauses of this process so far."""
    return sum(_ended)


@contextmanager
def pausing() -> Iterator[None]:
    """Count the block as a pause."""
    started = time.perf_counter()
    try:
        yield
    finally:
        _ended.append(time.perf_counter() - started)

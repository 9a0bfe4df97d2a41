"""Python's garbage collector in a driver."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

ALLOCATIONS = 20_000
"""How many more objects than before there are when the collector looks at the young ones; 700 or 2,000 by default."""


@contextmanager
def seldom_collecting() -> Iterator[None]:
    """Let the collector look seldom, and at nothing that is there already, for as long as a study runs.

    With thousands of epochs under way it would take a fifth of the driver's time and find next to nothing.
    """
    usual = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(max(usual[0], ALLOCATIONS) if usual[0] else 0, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()

"""The scratch folder of a trial, locked by one process at a time."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from fersearch.locks import beside, lock, try_lock, wait_lock
from fersearch.owners import mark_folder
from fersearch.training.preemption import Preempted, Pulse
from fersearch.training.request import TrialRequest

PATIENCE = 10.0
"""Seconds to wait for the process of an earlier attempt before its folder counts as in use by another run."""


@contextmanager
def locked(
    request: TrialRequest, pulse: Pulse, notify: Callable[[str], None], gave_up: Callable[[], None] = lambda: None
) -> Iterator[TrialRequest]:
    """Lock the scratch folder of a request for the block; yields the request with the folder to use.

    If another process holds it, as where a database was copied and both copies are run, that is a new empty folder,
    and `notify` is called with the reason. At the end it replaces the other folder if that was released meanwhile; else
    it is removed, and `gave_up` is called.

    Raises:
        Preempted: `pulse` returned True while waiting for the folder.
    """

    def beat() -> None:
        if pulse():
            raise Preempted

    folder = Path(request.scratch)
    own = wait_lock(beside(folder), PATIENCE, beat)
    if request.owner is not None:
        mark_folder(folder.parent, request.owner)
    if own is not None:
        with own:
            yield request
        return
    notify(
        f"another process uses {folder}, for example because a database was copied and both are run: this attempt "
        "starts again and keeps its states elsewhere"
    )
    apart = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=folder.parent))
    with lock(beside(apart)):
        try:
            yield replace(request, scratch=str(apart), states="", recorded=0, recorded_by_attempt=())
        finally:
            if not _settle(apart, folder):
                gave_up()
            beside(apart).unlink(missing_ok=True)


def _settle(apart: Path, folder: Path) -> bool:
    """Move the folder `apart` to `folder`, for the next attempt; False if another process has states there."""
    own, settled = try_lock(beside(folder)), False
    if own is not None:
        with own:
            if not folder.exists() and apart.exists():
                apart.rename(folder)
                settled = True
    shutil.rmtree(apart, ignore_errors=True)
    return settled

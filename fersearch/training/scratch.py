"""The scratch folder of a trial while an attempt works in it: held by one process at a time."""

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
"""Seconds that an earlier attempt's process may take to end before its folder is taken for another one's."""


@contextmanager
def held(
    request: TrialRequest, pulse: Pulse, say: Callable[[str], None], gave_up: Callable[[], None] = lambda: None
) -> Iterator[TrialRequest]:
    """Hold the scratch folder of a request; yields the request with the folder that is to be used.

    While another process holds it, as where a database was copied and both copies are run, that is an empty folder
    of its own; `say` is told so. In the end it takes the place of the other one if that was given up; else it goes,
    and `gave_up` is called.

    Raises:
        Preempted: `pulse` says to leave while the folder is waited for.
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
    say(
        f"another process works in {folder}, as when a database was copied and both are run: "
        "this attempt begins anew and keeps its states apart"
    )
    apart = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=folder.parent))
    with lock(beside(apart)):
        try:
            yield replace(request, scratch=str(apart), states="", recorded=0, told=())
        finally:
            if not _settle(apart, folder):
                gave_up()
            beside(apart).unlink(missing_ok=True)


def _settle(apart: Path, folder: Path) -> bool:
    """Let the states that were kept apart lie where the next attempt looks for them; False if others lie there."""
    own, settled = try_lock(beside(folder)), False
    if own is not None:
        with own:
            if not folder.exists() and apart.exists():
                apart.rename(folder)
                settled = True
    shutil.rmtree(apart, ignore_errors=True)
    return settled

"""Trials trained again in a slot of the service, each by a child of its own, told as it goes on."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any

from fersearch.service import jobs
from fersearch.service.context import Service
from fersearch.service.problems import ProblemError, problem_of

log = logging.getLogger("fersearch.service")
Told = tuple[str, Any]
"""The kind of an event, and its data: slot, epoch, and last result or problem."""


async def events(service: Service, owner: str, study: str, trial: int, seed: int | None) -> AsyncIterator[Told]:
    """Train a trial again and yield what happens; whoever stops reading ends it.

    The work is a task of its own: its child ends, and only then its slot is given back, whatever becomes of the reader.
    """
    told: asyncio.Queue[Told] = asyncio.Queue()
    work = asyncio.create_task(_work(service, owner, study, trial, seed, told))
    try:
        while True:
            kind, data = await told.get()
            yield kind, data
            if kind in ("result", "problem"):
                return
    finally:
        work.cancel()


async def _work(
    service: Service, owner: str, study: str, trial: int, seed: int | None, told: "asyncio.Queue[Told]"
) -> None:
    try:
        async with service.supervisor.guests.slot(owner, study, trial) as slot:
            told.put_nowait(("slot", {"slot": slot}))
            asked = {"study": study, "trial": trial, "seed": seed, "place": _place(service, slot)}
            async for line in jobs.reported("rerun", service.settings.storage, **asked):
                told.put_nowait(next(iter(line.items())))
    except ProblemError as error:
        told.put_nowait(("problem", problem_of(error).model_dump()))
    except Exception:
        log.exception("the rerun of trial %d of study '%s' failed", trial, study)
        failed = ProblemError(500, "the rerun failed", "the service's log has the traceback")
        told.put_nowait(("problem", problem_of(failed).model_dump()))


def _place(service: Service, slot: int) -> Mapping[str, Any]:
    """Return which of the machine's slots that is."""
    settings = service.settings
    return {
        "count": settings.slots,
        "per_gpu": settings.slots_per_gpu,
        "threads": settings.threads_per_slot,
        "number": slot,
    }

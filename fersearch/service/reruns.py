"""Reruns of trials in slots of the service, each in a child process, as streams of events."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any

from fersearch.service import jobs
from fersearch.service.context import Service
from fersearch.service.problems import ProblemError, problem_of

log = logging.getLogger("fersearch.service")
Event = tuple[str, Any]
"""The kind of an event (slot, epoch, and last result or problem) and its data."""


async def events(service: Service, owner: str, study: str, trial: int, seed: int | None) -> AsyncIterator[Event]:
    """Train a trial again and yield events; closing the generator cancels the rerun.

    The rerun is a separate task, so that its child is ended before its slot is released even if this generator is
    cancelled.
    """
    queue: asyncio.Queue[Event] = asyncio.Queue()
    work = asyncio.create_task(_work(service, owner, study, trial, seed, queue))
    try:
        while True:
            kind, data = await queue.get()
            yield kind, data
            if kind in ("result", "problem"):
                return
    finally:
        work.cancel()


async def _work(
    service: Service, owner: str, study: str, trial: int, seed: int | None, events: "asyncio.Queue[Event]"
) -> None:
    try:
        async with service.supervisor.reservations.slot(owner, study, trial) as slot:
            events.put_nowait(("slot", {"slot": slot}))
            asked = {"study": study, "trial": trial, "seed": seed, "place": _place(service, slot)}
            async for line in jobs.reported("rerun", service.settings.storage, **asked):
                events.put_nowait(next(iter(line.items())))
    except ProblemError as error:
        events.put_nowait(("problem", problem_of(error).model_dump()))
    except Exception:
        log.exception("the rerun of trial %d of study '%s' failed", trial, study)
        failed = ProblemError(500, "the rerun failed", "the service's log has the traceback")
        events.put_nowait(("problem", problem_of(failed).model_dump()))


def _place(service: Service, slot: int) -> Mapping[str, Any]:
    """Return which of the machine's slots that is."""
    settings = service.settings
    return {
        "count": settings.slots,
        "per_gpu": settings.slots_per_gpu,
        "threads": settings.threads_per_slot,
        "number": slot,
    }

"""Reruns of trials in slots of the service, each in a child process, as streams of events."""

import asyncio
import logging
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fersearch.api.records.service import RerunRequest
from fersearch.checkpoint_folder import WEIGHTS, folder_card
from fersearch.engines import devices
from fersearch.service import jobs
from fersearch.service.context import Service
from fersearch.service.problems import ProblemError, problem_of
from fersearch.service.settings import ServiceSettings

log = logging.getLogger("fersearch.service")
Event = tuple[str, Any]
"""The kind of an event (slot, epoch, model, weights, and last result or problem) and its data."""
PIECE = 3 * 2**16
"""Bytes of weights in an event."""


def devices_of(settings: ServiceSettings) -> list[str]:
    """Return the devices on which a service can rerun a trial: those of its slots, and the CPU."""
    slots = devices.slots(settings.slots, settings.slots_per_gpu, settings.threads_per_slot)
    return list(dict.fromkeys([*(slot.device for slot in slots), "cpu"]))


async def events(service: Service, owner: str, study: str, trial: int, request: RerunRequest) -> AsyncIterator[Event]:
    """Train a trial again and yield events; closing the generator cancels the rerun.

    The rerun is a separate task, so that its child is ended before its slot is released even if this generator is
    cancelled.
    """
    queue: asyncio.Queue[Event] = asyncio.Queue()
    work = asyncio.create_task(_work(service, owner, study, trial, request, queue))
    try:
        while True:
            kind, data = await queue.get()
            yield kind, data
            queue.task_done()
            if kind in ("result", "problem"):
                return
    finally:
        work.cancel()


async def _work(
    service: Service, owner: str, study: str, trial: int, request: RerunRequest, events: "asyncio.Queue[Event]"
) -> None:
    arguments = {"study": study, "trial": trial, **request.model_dump(exclude={"keep"})}
    result = None
    try:
        with TemporaryDirectory(prefix="fersearch-") as scratch:
            folder = Path(scratch, "model")
            arguments["out"] = str(folder) if request.keep else None
            async with service.supervisor.reservations.slot(owner, study, trial) as slot:
                events.put_nowait(("slot", {"slot": slot}))
                arguments["place"] = _place(service, slot)
                async for line in jobs.reported("rerun", service.settings.storage, **arguments):
                    kind, data = next(iter(line.items()))
                    if kind == "result":
                        result = data
                    else:
                        events.put_nowait((kind, data))
            if folder.is_dir():
                await _send_model(folder, events)
            events.put_nowait(("result", result))
    except ProblemError as error:
        events.put_nowait(("problem", problem_of(error).model_dump()))
    except Exception:
        log.exception("the rerun of trial %d of study '%s' failed", trial, study)
        failed = ProblemError(500, "the rerun failed", "the service's log has the traceback")
        events.put_nowait(("problem", problem_of(failed).model_dump()))


async def _send_model(folder: Path, events: "asyncio.Queue[Event]") -> None:
    """Put the model in a folder into events, no faster than they are taken."""
    card, file = folder_card(folder), folder / WEIGHTS
    events.put_nowait(("model", {"digest": card["digest"], "bytes": file.stat().st_size, "values": card["values"]}))
    with file.open("rb") as weights:
        while piece := weights.read(PIECE):
            await events.join()
            events.put_nowait(("weights", {"piece": b64encode(piece).decode()}))


def _place(service: Service, slot: int) -> Mapping[str, Any]:
    """Return which of the machine's slots that is."""
    settings = service.settings
    return {
        "count": settings.slots,
        "per_gpu": settings.slots_per_gpu,
        "threads": settings.threads_per_slot,
        "number": slot,
    }

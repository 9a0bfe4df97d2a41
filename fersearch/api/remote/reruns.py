"""The verb that lets a service train a trial again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from fersearch.api.remote import reading
from fersearch.api.remote.connection import refuse_storage, study_path
from fersearch.api.remote.looking import LookingVerbs
from fersearch.engines.rerun import Rerun
from fersearch.errors import StoreUnavailable, UsageError
from fersearch.trial import Epoch


class RerunVerbs(LookingVerbs):
    """The verb of `fersearch.api` for reruns, with the same arguments as the local one."""

    def rerun_trial(
        self,
        name: str,
        number: int,
        *,
        seed: int | None = None,
        device: str | None = None,
        out: Path | None = None,
        force: bool = False,
        data: Path | None = None,
        storage: str | None = None,
        report: Callable[[Epoch], None] = lambda _: None,
    ) -> Rerun:
        """Train a trial again in a slot of the service and wait for the result; an interruption cancels it there.

        Raises:
            UsageError: the trial has not ended, or an option concerns this machine.
            StoreUnavailable: the service ended meanwhile.
        """
        refuse_storage(storage)
        if device or out or force or data:
            raise UsageError(
                "with --server a trial is trained where its study was, without --device, --data and --out",
                "leave them out; checkpoint pull fetches a model that is kept",
            )
        path = study_path(name, f"/trials/{number}/rerun")
        for kind, record in self._service.events(path, {"seed": seed}):
            if kind == "epoch":
                report(_epoch(record))
            elif kind == "problem":
                raise self._service.error_of(record)
            elif kind == "result":
                return reading.rerun(record)
        raise StoreUnavailable(f"the service at {self._service.url} ended before the rerun did", "try again")


def _epoch(data: reading.Json) -> Epoch:
    costs: dict[str, Any] = {"seconds": data["seconds"], "cpu_seconds": data["cpu_seconds"]}
    return Epoch(data["epoch"], data["values"], round=data["round"], **costs)

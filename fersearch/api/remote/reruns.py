"""The verb that lets a service train a trial again."""

import tempfile
from base64 import b64decode
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from fersearch.api.remote import reading
from fersearch.api.remote.connection import refuse_storage, study_path
from fersearch.api.remote.looking import LookingVerbs
from fersearch.api.remote.models import row_to_pull
from fersearch.artifacts import file_digest
from fersearch.checkpoint_folder import WEIGHTS, refuse_existing
from fersearch.engines.rerun import Rerun
from fersearch.errors import FersearchError, StoreUnavailable
from fersearch.evaluation.pulling import write_pulled
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

        Args:
            seed, report: as on this machine.
            device: another device than the recorded one, of the service.
            out: a local folder for the model; `force` replaces a pulled checkpoint that is there.
            data: the folder of the trial's data on the service's machine, if it has moved.

        Raises:
            UsageError: the trial has not ended, the folder exists, or the service refuses the device or the data.
            StoreUnavailable: the service ended meanwhile.
        """
        refuse_storage(storage)
        row = None
        if out is not None:
            refuse_existing(out, force)
            row = row_to_pull(self.show_study(name))
        options = {"seed": seed, "device": device, "data": data and str(data), "keep": out is not None}
        body = {key: value for key, value in options.items() if value not in (None, False)}
        with tempfile.TemporaryDirectory() as scratch:
            file = Path(scratch, WEIGHTS)
            done, model = self._followed(study_path(name, f"/trials/{number}/rerun"), body, file, report)
            if out is None or row is None or not model:
                return done
            if file_digest(file) != model["digest"]:
                raise FersearchError(f"the model that {self._service.url} sent is not whole", "try again")
            values = reading.named(model["values"])
            trial = replace(self.show_trial(name, number).trial, values=values, checkpoint=model["digest"])
            write_pulled(out, row, trial, file, force)
        return replace(done, path=out)

    def _followed(
        self, path: str, body: reading.Json, file: Path, report: Callable[[Epoch], None]
    ) -> tuple[Rerun, reading.Json]:
        """Follow a rerun to its end: return its result and the model's record; write the model's weights to a file."""
        done, model = None, {}
        with file.open("wb") as weights:
            for kind, record in self._service.events(path, body):
                if kind == "epoch":
                    report(_epoch(record))
                elif kind == "model":
                    model = record
                elif kind == "weights":
                    weights.write(b64decode(record["piece"]))
                elif kind == "problem":
                    raise self._service.error_of(record)
                elif kind == "result":
                    done = reading.rerun(record)
        if done is None:
            raise StoreUnavailable(f"the service at {self._service.url} ended before the rerun did", "try again")
        return done, model


def _epoch(data: reading.Json) -> Epoch:
    costs: dict[str, Any] = {"seconds": data["seconds"], "cpu_seconds": data["cpu_seconds"]}
    return Epoch(data["epoch"], data["values"], round=data["round"], **costs)

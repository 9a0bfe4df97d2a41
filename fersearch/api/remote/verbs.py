"""The verbs that a service offers, with the arguments and results of the local ones."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from fersearch.api.enqueueing import EnqueuedView
from fersearch.api.records.service import RunRequest
from fersearch.api.remote import reading
from fersearch.api.remote.catalogue import CatalogueVerbs, refuse_plugins
from fersearch.api.remote.connection import refuse_storage, study_path
from fersearch.api.remote.models import ModelVerbs
from fersearch.api.remote.reports import ReportVerbs
from fersearch.api.remote.request import body_of, body_of_file, mistakes_named_after
from fersearch.api.remote.reruns import RerunVerbs
from fersearch.api.studies import StudyView
from fersearch.errors import FersearchError, UsageError
from fersearch.evaluation.finished import Finish
from fersearch.run_options import RunOptions
from fersearch.space import Value
from fersearch.study import StudySpec


class RemoteVerbs(ModelVerbs, ReportVerbs, CatalogueVerbs, RerunVerbs):
    """The verbs of `fersearch.api` that a service offers, with the same arguments as the local ones.

    `storage` and options for local files are refused with a UsageError.
    """

    def check_run(self, options: RunOptions | None = None, **changes: Any) -> None:
        """Raise UsageError for options of a run that the service sets."""
        self._run_options(replace(options or RunOptions(), **changes))

    def create_study(self, model: str, dataset: str, *, storage: str | None = None, **options: Any) -> StudySpec:
        """Create a study on the service; `run_study` queues it."""
        refuse_storage(storage)
        return self._create(body_of({"model": model, "dataset": dataset, **options}))[0]

    def create_from_file(
        self, path: Path, overrides: Mapping[str, Any], *, storage: str | None = None, **options: Any
    ) -> list[StudySpec]:
        """Create the studies that a local file describes; their data must be on the service's machine."""
        refuse_storage(storage)
        with mistakes_named_after(path):
            return self._create(body_of_file(path, {**overrides, **options}))

    def check_file(
        self, path: Path, overrides: Mapping[str, Any] | None = None, *, plugins: Iterable[Path] = ()
    ) -> list[StudySpec]:
        """Check a local study file against the service's components. Raise StudyFileError with all its mistakes."""
        refuse_plugins(list(plugins))
        with mistakes_named_after(path):
            plans = self._service.post("studies/check", body_of_file(path, overrides or {}))
        return [StudySpec.from_json(plan["spec"]) for plan in plans]

    def run_study(
        self,
        name: str,
        options: RunOptions | None = None,
        *,
        observer: object = None,  # noqa: ARG002 - whoever watches asks for events
        storage: str | None = None,
        **changes: Any,
    ) -> StudyView:
        """Queue a study and return at once, without waiting for its end."""
        refuse_storage(storage)
        body = self._run_options(replace(options or RunOptions(), **changes))
        self._service.post(study_path(name, "/resume"), body)
        return self.show_study(name)

    def place_in_queue(self, name: str) -> int:
        """Return the place of a study in the queue, from 1; 0 where it is not in it."""
        entries = self._service.get("queue")["queue"]
        return next((one["place"] for one in entries if one["study"] == name), 0)

    def pause_study(self, name: str, storage: str | None = None) -> bool:
        """Make a study save and leave its slots; return whether it ran or waited."""
        refuse_storage(storage)
        self._service.post(study_path(name, "/pause"))
        return True

    def stop_study(self, name: str, storage: str | None = None) -> bool:
        """Make a study finish its epochs, save and exit; return whether it ran or waited."""
        refuse_storage(storage)
        return bool(self._service.post(study_path(name, "/stop"))["stopping"])

    def finish_study(
        self,
        name: str,
        options: RunOptions | None = None,
        *,
        finalists: int = 3,
        seeds: int = 5,
        epochs: int | None = None,
        unseen: Sequence[str] = (),
        observer: object = None,  # noqa: ARG002 - whoever watches asks for events
        storage: str | None = None,
        **changes: Any,
    ) -> Finish:
        """Finish a study on the service. Raise FersearchError while its finalists train, without waiting for them."""
        refuse_storage(storage)
        self._run_options(replace(options or RunOptions(), **changes))
        body = {"finalists": finalists, "seeds": seeds, "epochs": epochs, "unseen": list(unseen)}
        answer = self._service.post(study_path(name, "/finish"), body)
        if answer["finish"] is None:
            raise FersearchError(
                f"the finalists of study '{name}' are trained there, as study {answer['trained']}",
                f"once that is complete: fersearch study finish {name}"
                + "".join(f" --unseen {shlex.quote(text)}" for text in unseen),
            )
        return reading.finish(answer["finish"])

    def enqueue_trial(self, name: str, settings: Mapping[str, Value], storage: str | None = None) -> EnqueuedView:
        """Add a configuration that a study tries next."""
        refuse_storage(storage)
        data = self._service.post(study_path(name, "/enqueue"), {"settings": dict(settings)})
        return EnqueuedView(**{field.name: data[field.name] for field in fields(EnqueuedView)})

    def extend_study(
        self,
        name: str,
        *,
        trials: int | None = None,
        timeout: float | None = None,
        settings: Mapping[str, str] | None = None,
        objectives: Sequence[str] = (),
        stop_when_flat: int | None = None,
        storage: str | None = None,
    ) -> StudyView:
        """Change a study that does not run, and keep its trials."""
        refuse_storage(storage)
        body = {"trials": trials, "timeout": timeout, "stop_when_flat": stop_when_flat}
        changes = {key: value for key, value in body.items() if value is not None}
        replacements = {"space": dict(settings or {}), "objectives": list(objectives)}
        self._service.post(study_path(name, "/extend"), changes | replacements)
        return self.show_study(name)

    def delete_study(self, name: str, storage: str | None = None) -> None:
        """Delete a study with its trials, logs and checkpoints."""
        refuse_storage(storage)
        self._service.delete(study_path(name))

    def _create(self, body: Mapping[str, Any]) -> list[StudySpec]:
        created = self._service.post("studies", {**body, "run": False})
        return [self.study_spec(study["name"]) for study in created]

    def _run_options(self, options: RunOptions) -> dict[str, Any]:
        """Return the options that a run sets itself. Raise UsageError for those that the service sets."""
        usual = RunOptions()
        changed = {name: value for name, value in vars(options).items() if value != getattr(usual, name)}
        if other := sorted(name for name in changed if name not in RunRequest.model_fields):
            flags = ", ".join(f"--{name.replace('_', '-')}" for name in other)
            raise UsageError(f"with --server the service sets {flags}", "leave it out")
        return changed

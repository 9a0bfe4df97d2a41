"""The verbs that a service answers, with the arguments and records of those of this machine."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from fersearch.api.checkpoints import CheckpointRow
from fersearch.api.datasets import DatasetRow
from fersearch.api.enqueueing import EnqueuedView
from fersearch.api.plugins import PluginRow
from fersearch.api.records.service import RunRequest
from fersearch.api.remote import reading
from fersearch.api.remote.connection import Connection, study_path
from fersearch.api.remote.request import body_of
from fersearch.api.studies import StudyView, TrialView
from fersearch.errors import FersearchError, UsageError
from fersearch.evaluation.finished import Finish
from fersearch.evaluation.pulling import Choice, Pulled, preferred, require_checkpoint, write_pulled
from fersearch.home import pulled_folder
from fersearch.notebook import Trials
from fersearch.run_options import RunOptions
from fersearch.search.explanation import Explanation
from fersearch.search.picking import bounds_of
from fersearch.space import Value
from fersearch.store import StudyRow, StudySummary
from fersearch.study import StudySpec
from fersearch.study_front import Front


class RemoteVerbs:
    """The verbs of `fersearch.api` that a service answers; each takes what its namesake here does.

    `storage` and what concerns files of this machine alone is refused.
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        self._service = Connection(url, token)

    def close(self) -> None:
        """Give the connection back."""
        self._service.close()

    def list_studies(self, storage: str | None = None, *, all: bool = False) -> list[StudySummary]:
        """Return the studies of the service, `finish/NAME` among them where `all` is asked for."""
        _refuse(storage)
        return [reading.summary(data) for data in self._service.pages("studies", **({"all": True} if all else {}))]

    def matching_studies(self, patterns: Sequence[str], storage: str | None = None) -> list[str]:
        """Return the names of the studies that patterns mean."""
        known = [one.name for one in self.list_studies(storage)] if any("*" in text for text in patterns) else []
        names = [
            name for text in patterns for name in ([text] if "*" not in text else known) if fnmatchcase(name, text)
        ]
        if not names:
            raise UsageError(f"no study fits '{patterns[0]}'", "see: fersearch study list")
        return list(dict.fromkeys(names))

    def show_study(self, name: str, storage: str | None = None) -> StudyView:
        """Return one study."""
        _refuse(storage)
        return reading.view(self._service.get(study_path(name)), self.study_spec(name))

    def study_spec(self, name: str, storage: str | None = None) -> StudySpec:
        """Return what a study was asked to do."""
        _refuse(storage)
        return StudySpec.from_json(self._service.get(study_path(name, "/spec")))

    def list_trials(self, name: str, storage: str | None = None) -> Trials:
        """Return the trials of a study by number."""
        _refuse(storage)
        rows = self._service.pages(study_path(name, "/trials"))
        return Trials(map(reading.trial, rows), self.study_spec(name).objectives)

    def show_trial(self, name: str, number: int, storage: str | None = None) -> TrialView:
        """Return one trial with its epochs."""
        _refuse(storage)
        return reading.trial_view(self._service.get(study_path(name, f"/trials/{number}")))

    def explain_trial(self, name: str, number: int, storage: str | None = None) -> Explanation:
        """Explain why a trial stopped or went on."""
        _refuse(storage)
        return reading.explanation(self._service.get(study_path(name, f"/trials/{number}/explanation")))

    def importance(self, name: str, storage: str | None = None) -> dict[str, Any]:
        """Return how much each parameter decides about each objective."""
        _refuse(storage)
        found = self._service.get(study_path(name, "/importance"))
        return {key: found[key] for key in ("method", "objectives", "needed")}

    def front(self, name: str, *, where: Sequence[str] = (), storage: str | None = None) -> Front:
        """Return the Pareto front of a study."""
        _refuse(storage)
        rows = self._service.get(study_path(name, "/front"), where=list(where))
        study = self._service.get(study_path(name))
        trials, spec = [reading.trial(data) for data in rows], self.study_spec(name)
        bounds = tuple(dict.fromkeys((*spec.where, *bounds_of(where, trials))))
        baseline, tolerances = study["baseline"], study["cost_tolerances"]
        return Front(name, trials, spec.objectives, baseline, constraints=bounds, tolerances=tolerances)

    def check_run(self, options: RunOptions | None = None, **changes: Any) -> None:
        """Raise UsageError for options of a run that the service decides about."""
        self._run_options(replace(options or RunOptions(), **changes))

    def create_study(self, model: str, dataset: str, *, storage: str | None = None, **options: Any) -> StudySpec:
        """Create a study there; `run_study` queues it."""
        _refuse(storage)
        return self._create(body_of({"model": model, "dataset": dataset, **options}))[0]

    def create_from_file(
        self, path: Path, overrides: Mapping[str, Any], *, storage: str | None = None, **options: Any
    ) -> list[StudySpec]:
        """Create the studies that a file of this machine describes, with data that lies where the service runs."""
        from fersearch.studyfile.parsing import parse

        _refuse(storage)
        return self._create(body_of({**overrides, **options}, parse(path)))

    def run_study(
        self,
        name: str,
        options: RunOptions | None = None,
        *,
        observer: object = None,  # noqa: ARG002 - whoever watches asks for events
        storage: str | None = None,
        **changes: Any,
    ) -> StudyView:
        """Queue a study; the answer does not wait for its end."""
        _refuse(storage)
        body = self._run_options(replace(options or RunOptions(), **changes))
        self._service.post(study_path(name, "/resume"), body)
        return self.show_study(name)

    def place_in_queue(self, name: str) -> int:
        """Return the place of a study in the queue, from 1; 0 where it is not in it."""
        entries = self._service.get("queue")["queue"]
        return next((one["place"] for one in entries if one["study"] == name), 0)

    def pause_study(self, name: str, storage: str | None = None) -> bool:
        """Let a study save and leave its slots; return whether it ran or waited."""
        _refuse(storage)
        self._service.post(study_path(name, "/pause"))
        return True

    def stop_study(self, name: str, storage: str | None = None) -> bool:
        """Let a study finish its epochs, save and leave; return whether there was something to stop."""
        _refuse(storage)
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
        """Finish a study there; FersearchError while its finalists are trained, for the answer does not wait."""
        _refuse(storage)
        self._run_options(replace(options or RunOptions(), **changes))
        if unseen:
            raise UsageError("a service judges no other datasets at the end", "leave out --unseen")
        body = {"finalists": finalists, "seeds": seeds, "epochs": epochs}
        answer = self._service.post(study_path(name, "/finish"), body)
        if answer["finish"] is None:
            raise FersearchError(
                f"the finalists of study '{name}' are trained there, as study {answer['trained']}",
                f"once that is complete: fersearch study finish {name}",
            )
        return reading.finish(answer["finish"])

    def enqueue_trial(self, name: str, settings: Mapping[str, Value], storage: str | None = None) -> EnqueuedView:
        """Add a configuration that a study tries next."""
        _refuse(storage)
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
        _refuse(storage)
        body = {"trials": trials, "timeout": timeout, "stop_when_flat": stop_when_flat}
        given = {key: value for key, value in body.items() if value is not None}
        wanted = {"space": dict(settings or {}), "objectives": list(objectives)}
        self._service.post(study_path(name, "/extend"), given | wanted)
        return self.show_study(name)

    def delete_study(self, name: str, storage: str | None = None) -> None:
        """Delete a study with its trials, logs and checkpoints."""
        _refuse(storage)
        self._service.delete(study_path(name))

    def list_checkpoints(self, name: str, storage: str | None = None) -> list[CheckpointRow]:
        """Return the checkpoints of a study by trial."""
        _refuse(storage)
        rows = self._service.get(study_path(name, "/checkpoints"))
        return [
            CheckpointRow(row["trial"], row["checkpoint"], row["epoch"], row["megabytes"], row["values"])
            for row in rows
        ]

    def pull_checkpoint(
        self,
        name: str,
        *,
        trial: int | None = None,
        prefer: str | None = None,
        where: Sequence[str] = (),
        out: Path | None = None,
        force: bool = False,
        format: str = "safetensors",
        trust_plugin: bool = False,
        storage: str | None = None,
    ) -> Pulled:
        """Download a trial's checkpoint, checked, into a folder of this machine."""
        _refuse(storage)
        study = self.show_study(name)
        if study.plugins:
            raise UsageError(f"study '{name}' keeps plugin files, which are not sent", "pull it where the service runs")
        choice = self._chosen(name, trial, prefer, where)
        chosen = choice.trial
        require_checkpoint(name, chosen)
        folder = out or pulled_folder(name, chosen.number)
        row = StudyRow(0, name, study.spec, study.created, (), study.baseline, study.seconds, data=study.data)
        with tempfile.TemporaryDirectory() as scratch:
            file = Path(scratch) / "weights.safetensors"
            path = study_path(name, f"/checkpoints/{chosen.number}/weights")
            self._service.download(path, file, chosen.checkpoint or "")
            write_pulled(folder, row, chosen, file, force)
        if format == "onnx":
            from fersearch.api.checkpoint_export import export_checkpoint  # here, for it brings in torch

            export_checkpoint(folder, trust_plugin=trust_plugin)
        return Pulled(folder, chosen.number, chosen.values, given_up=choice.given_up)

    def _chosen(self, name: str, number: int | None, prefer: str | None, where: Sequence[str]) -> Choice:
        if number is not None:
            return Choice(self.show_trial(name, number).trial)
        return preferred(self.front(name, where=where), prefer)

    def list_datasets(self, plugins: tuple[Path, ...] = ()) -> list[DatasetRow]:
        """Return the datasets of the service, and which are at hand there."""
        _refuse_plugins(plugins)
        rows = self._service.get("datasets")
        return [DatasetRow(row["name"], row["summary"], row["licence"], row["found"]) for row in rows]

    def list_plugins(self, plugins: tuple[Path, ...] = ()) -> tuple[list[PluginRow], dict[str, str]]:
        """Return the components of the service."""
        _refuse_plugins(plugins)
        rows = self._service.get("plugins")
        return [PluginRow(row["kind"], row["name"], row["module"], row["summary"]) for row in rows], {}

    def _create(self, body: Mapping[str, Any]) -> list[StudySpec]:
        created = self._service.post("studies", {**body, "run": False})
        return [self.study_spec(study["name"]) for study in created]

    def _run_options(self, options: RunOptions) -> dict[str, Any]:
        """Return what a run says itself; UsageError for what the service decides about."""
        usual = RunOptions()
        given = {name: value for name, value in vars(options).items() if value != getattr(usual, name)}
        if other := sorted(name for name in given if name not in RunRequest.model_fields):
            flags = ", ".join(f"--{name.replace('_', '-')}" for name in other)
            raise UsageError(f"with --server the service decides about {flags}", "leave it out")
        return given


def _refuse(storage: str | None) -> None:
    if storage is not None:
        raise UsageError("--storage was given with --server", "leave out the one or the other")


def _refuse_plugins(plugins: Sequence[Path]) -> None:
    if plugins:
        raise UsageError("--plugin was given with --server, which takes no code", "install it where the service runs")

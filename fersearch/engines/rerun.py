"""Repeat of a trial's training and comparison with the record; the study's rows are unchanged."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fersearch.artifacts import Artifacts
from fersearch.checkpoint_folder import refuse_existing
from fersearch.context import components_of
from fersearch.data.identity import difference
from fersearch.engines import devices
from fersearch.engines.devices import Slot
from fersearch.engines.driver import environment, to_preload
from fersearch.engines.requests import request_for, trial_seed
from fersearch.engines.single import SingleTrial
from fersearch.errors import FersearchError, UsageError
from fersearch.evaluation.pulling import write_pulled
from fersearch.home import artifacts_folder
from fersearch.registry import Registry
from fersearch.search.aggregation import trial_values
from fersearch.store import Store, StudyRow
from fersearch.study_data import StudyData, open_study_data, recorded_data
from fersearch.training.card import read_card
from fersearch.trial import EXCLUSIVE, HIGH, LOW, SE, Epoch, Outcome, Trial, TrialState

ENVIRONMENT = ("device", "device_name", "precision", "memory_format", "torch", "threads")
CLOCKS = ("s", "ms")


@dataclass(frozen=True)
class Compared:
    """A metric as recorded and as reproduced; `checked` unless it depends on clocks or memory."""

    name: str
    stored: float | None
    again: float | None
    checked: bool

    @property
    def difference(self) -> float:
        """The absolute difference; infinite if only one value is known."""
        if self.stored is None or self.again is None:
            return 0.0 if self.stored == self.again else math.inf
        return abs(self.again - self.stored)


@dataclass(frozen=True)
class Changed:
    """A property of the machine, the packages or the data that has changed since the trial ran."""

    name: str
    stored: str
    again: str


@dataclass(frozen=True)
class Rerun:
    """A trial trained again: its metrics beside the stored ones, and the changes of the environment.

    `seed` is the one of the rerun, `kept_epoch` the kept epochs, stored and again,
    `path` the folder of the new model, if one was requested.
    """

    study: str
    trial: int
    seed: int
    epochs: int
    kept_epoch: tuple[int | None, int | None]
    metrics: tuple[Compared, ...]
    changed: tuple[Changed, ...]
    path: Path | None = None

    @property
    def max_difference(self) -> float:
        """The largest difference of a checked metric."""
        return max((each.difference for each in self.metrics if each.checked), default=0.0)

    @property
    def equal(self) -> bool:
        """Whether the same epoch was kept and every checked metric equals the stored value exactly."""
        return self.kept_epoch[0] == self.kept_epoch[1] and self.max_difference == 0.0


@dataclass(frozen=True)
class RerunRequest:
    """The options of a rerun.

    Attributes:
        seed: another seed than the study's.
        device: another device than the recorded one, in torch's notation.
        out: a folder for the model, as `pull_checkpoint` writes it; `force` replaces an existing pulled one.
        data: path of the trial's data, if it has moved.
        slot: the slot to train in; by default the first one of this machine.
    """

    seed: int | None = None
    device: str | None = None
    out: Path | None = None
    force: bool = False
    data: Path | None = None
    slot: Slot | None = None


def rerun(store: Store, study: StudyRow, number: int, options: RerunRequest, report: Callable[[Epoch], None]) -> Rerun:
    """Train a trial's configuration again as the study did, in a process of its own; store nothing.

    Raises:
        UsageError: the trial has not ended, or the folder exists.
        FersearchError: training fails.
        DataError: the data is missing or broken, or not that of the trial.
    """
    if options.out is not None:
        refuse_existing(options.out, options.force)
    trial = store.trial(study.id, number)
    if not trial.state.ended:
        raise UsageError(
            f"trial {number} is {trial.state.value}", "wait until it has ended: fersearch study run " + study.name
        )
    facts = _facts(store, study, trial)
    drivers = [each["packages"] for each in store.environments(study.id) if each.get("role") == "driver"]
    registry = components_of(study)
    data = _same_data(registry, study, trial, options.data)
    place = options.slot or devices.slots(1)[0]
    slot = _slot(options.device or facts.get("device"), facts.get("threads"), place)
    training = _single(study, trial, data, registry, options, slot)
    training.report = report

    def values_of(outcome: Outcome) -> dict[str, float]:
        return trial_values(training.epochs, outcome.kept_epoch, study.spec.objectives[0], registry.metrics)

    def take(outcome: Outcome, weights: Artifacts) -> None:
        if options.out is not None and outcome.checkpoint is not None:
            again = replace(trial, values=values_of(outcome), checkpoint=outcome.checkpoint)
            write_pulled(options.out, study, again, weights.open(outcome.checkpoint), options.force)

    outcome = training.run(take)
    return Rerun(
        study.name,
        number,
        training.request.seed,
        max(training.epochs),
        (trial.kept_epoch, outcome.kept_epoch),
        _compared(trial.values, values_of(outcome), registry),
        _changed({**facts, **_data(trial)}, {**outcome.facts, "data": data.prepared.digest}, drivers),
        options.out,
    )


def _single(
    study: StudyRow, trial: Trial, data: StudyData, registry: Registry, options: RerunRequest, slot: Slot
) -> SingleTrial:
    request = replace(
        request_for(study, trial, data.prepared, slot, artifacts_folder()),
        seed=trial_seed(study, trial) if options.seed is None else options.seed,
        recorded=0,
        resume=False,
        where=(),
        keep_pruned=options.out is not None,
    )
    return SingleTrial(request, slot, to_preload(registry, study), _last(trial))


def _same_data(registry: Registry, study: StudyRow, trial: Trial, path: Path | None) -> StudyData:
    """Return the prepared data of a trial; DataError for other data."""
    data = open_study_data(registry, study, path)
    then = recorded_data(study, trial.data_digest)
    if not then.agrees(data.identity):
        raise difference(
            f"the data of study '{study.name}' is not what trial {trial.number} saw",
            then,
            data.identity,
            (f"give the folder that holds it: fersearch trial rerun {study.name} {trial.number} --data PATH",),
        )
    return data


def _last(trial: Trial) -> int | None:
    """Return the epoch after which a trial was stopped; None for a trial that was trained to its end, or not at all."""
    return None if trial.state is TrialState.COMPLETE else trial.epochs or None


def _facts(store: Store, study: StudyRow, trial: Trial) -> Mapping[str, Any]:
    """Return the facts recorded by the trial's last attempt, or else by any attempt of the study."""
    own = [attempt.facts for attempt in trial.attempts if "device" in attempt.facts]
    return own[-1] if own else next((each for each in store.environments(study.id) if "threads" in each), {})


def _slot(device: str | None, threads: int | None, usual: Slot) -> Slot:
    """Return a slot like the trial's: its device and thread count; UsageError for an invalid device name."""
    name = device or usual.device
    if not re.fullmatch(r"cpu|mps|cuda(:\d+)?", name):
        raise UsageError(f"unknown device '{name}'", "give cpu, cuda:0 or mps")
    hidden = (("CUDA_VISIBLE_DEVICES", ""),) if name == "cpu" else ()
    return Slot(usual.number, name, usual.env if name == usual.device else hidden, threads or usual.threads)


def _data(trial: Trial) -> dict[str, Any]:
    """Return the digest of the prepared dataset of a trial's checkpoint, if that still exists."""
    with suppress(FersearchError):
        if trial.checkpoint:
            return {"data": read_card(Artifacts(artifacts_folder()).open(trial.checkpoint))["dataset"]["digest"]}
    return {}


def _compared(stored: Mapping[str, float], again: Mapping[str, float], registry: Registry) -> tuple[Compared, ...]:
    return tuple(
        Compared(name, stored.get(name), again.get(name), not _varies(name, registry))
        for name in {**stored, **again}
        if name != EXCLUSIVE and not name.endswith((SE, LOW, HIGH))
    )


def _varies(name: str, registry: Registry) -> bool:
    """Return whether a metric depends on clocks or memory, which differ between equal runs."""
    metric = registry.metrics.get(name) or registry.metrics.get(name.removesuffix("_std"))
    return metric is not None and metric.measured and (metric.whole_trial or metric.unit in CLOCKS)


def _changed(
    stored: Mapping[str, Any], again: Mapping[str, Any], drivers: Sequence[Mapping[str, str]]
) -> tuple[Changed, ...]:
    """Return the differences between the trial's process and the rerun's, and package versions new to the study."""
    known = [name for name in (*ENVIRONMENT, "data") if name in stored]
    changes = [Changed(name, str(stored[name]), str(again.get(name))) for name in known]
    for package, version in environment()["packages"].items():
        versions = dict.fromkeys(each[package] for each in drivers if package in each)
        if versions and version not in versions and package not in known:
            changes.append(Changed(package, ", ".join(versions), version))
    return tuple(each for each in changes if each.stored != each.again)

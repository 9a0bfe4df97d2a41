"""The latency of a front's members, measured again after the study's trials have ended."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from fersearch import formatting
from fersearch.artifacts import Artifacts
from fersearch.context import components_of, open_store
from fersearch.engines.follow_up import Note
from fersearch.engines.machine import measure_alone
from fersearch.home import artifacts_folder
from fersearch.isolation import in_child
from fersearch.registry import Registry
from fersearch.search.bounds import with_latency_margin
from fersearch.store import Store, StudyRow
from fersearch.study_front import front_of
from fersearch.trial import LATENCY, ROUGH_LATENCY, Trial

if TYPE_CHECKING:
    from fersearch.training.latency import SteadyLatency


def time_latency(name: str, storage: str | None, note: Note, artifacts: str | None = None) -> None:
    """Measure alone the members of a study's front whose latency the search could not measure alone.

    Nothing is done unless latency is an objective or bounded. The search's own value, taken beside other trials, is
    kept as `rough_latency_ms`. A trial that only its rough value keeps from the front, by a bound that it breaks by
    less than the margin, is measured as well. One that then breaks a bound or is dominated leaves the front, and the
    trials that replace it are measured too. With `latency_on = "onnx"` it is the latency of the exported model, in one
    thread. Trials of other drivers are paused meanwhile; where they do not pause in time, the value stays rough.

    Raises:
        FersearchError: a checkpoint is broken, or its architecture is not here.
    """
    with open_store(storage) as store:
        study = store.study(name)
        if LATENCY not in study.spec.compared:
            return
        registry, weights = components_of(study), Artifacts(artifacts_folder(artifacts))
        tried: set[int] = set()
        while due := [trial for trial in _due(store, study) if trial.number not in tried]:
            for trial in due:
                _time(store, study, trial, weights.open(trial.checkpoint or ""), registry, note)
                tried.add(trial.number)


def _due(store: Store, study: StudyRow) -> list[Trial]:
    trials = {trial.number: trial for trial in store.trials(study.id)}
    members = front_of(study, [with_latency_margin(trial, study.spec.where) for trial in trials.values()]).trials
    return [trials[each.number] for each in members if trials[each.number].rough_latency and each.checkpoint]


def _time(store: Store, study: StudyRow, trial: Trial, file: Path, registry: Registry, note: Note) -> None:
    facts, rough = trial.attempts[-1].facts if trial.attempts else {}, trial.values[LATENCY]
    exported = study.spec.latency_on == "onnx"
    threads, device = (1, "cpu") if exported else (int(facts.get("threads", 1)), str(facts.get("device", "cpu")))
    alone = in_child(partial(_measure, file, registry, threads, device, exported), "torch")
    if alone is None:
        note(f"{LATENCY} of trial {trial.number} stays rough: trials of other studies here did not pause in time")
        return
    store.set_values(study.id, trial.number, {ROUGH_LATENCY: rough, LATENCY: 1000 * alone.seconds})
    how = f"median of {alone.runs:,} runs, batch 1, {formatting.plural(threads, 'thread')}"
    value = f"{LATENCY} {formatting.number(1000 * alone.seconds)} ({how}, interval {alone.width:.0%})"
    note(f"trial {trial.number} alone: {value}; {formatting.number(rough)} in the search")
    for bound in study.spec.where:
        if bound.metric == LATENCY and not bound.holds({LATENCY: 1000 * alone.seconds}):
            note(f"trial {trial.number} breaks {bound} and is not on the front")


def _measure(file: Path, registry: Registry, threads: int, device: str, exported: bool) -> "SteadyLatency | None":
    from fersearch.training.checkpoint import Restored

    restored = Restored.open(file, registry, device)
    if not exported:
        return restored.latency(threads, quiet=measure_alone)
    from fersearch.training.onnx_graph import in_onnx

    return restored.latency(threads, partial(in_onnx, name=str(restored.card["architecture"])), measure_alone)

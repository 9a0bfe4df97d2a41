"""The latency of a front's members, measured again once nothing else of the study runs."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from fersearch import formatting
from fersearch.artifacts import Artifacts
from fersearch.context import components_of, open_store
from fersearch.engines.follow_up import Note
from fersearch.home import artifacts_folder
from fersearch.isolation import in_child
from fersearch.registry import Registry
from fersearch.store import Store, StudyRow
from fersearch.study_front import front_of
from fersearch.trial import LATENCY, ROUGH_LATENCY, Trial

if TYPE_CHECKING:
    from fersearch.training.latency import SteadyLatency


def time_latency(name: str, storage: str | None, note: Note, artifacts: str | None = None) -> None:
    """Measure each member of a study's front alone where latency is an objective or bounded; what is known stays.

    The search's own value, taken beside other trials, is kept as `rough_latency_ms`. A trial that then breaks a bound
    or is beaten leaves the front, and whoever takes its place is measured too. Of models in torch; the exported ones
    of `latency_on = "onnx"` keep what the search measured.

    Raises:
        FersearchError: a checkpoint is broken, or its architecture is not here.
    """
    with open_store(storage) as store:
        study = store.study(name)
        if LATENCY not in study.spec.compared or study.spec.latency_on != "torch":
            return
        registry, kept = components_of(study), Artifacts(artifacts_folder(artifacts))
        while due := _due(store, study):
            for trial in due:
                _time(store, study, trial, kept.open(trial.checkpoint or ""), registry, note)


def _due(store: Store, study: StudyRow) -> list[Trial]:
    members = front_of(study, store.trials(study.id)).trials
    return [trial for trial in members if ROUGH_LATENCY not in trial.values and trial.checkpoint]


def _time(store: Store, study: StudyRow, trial: Trial, file: Path, registry: Registry, note: Note) -> None:
    facts = trial.attempts[-1].facts if trial.attempts else {}
    threads, rough = int(facts.get("threads", 1)), trial.values[LATENCY]
    alone = in_child(partial(_measure, file, registry, threads, str(facts.get("device", "cpu"))), "torch")
    store.set_value(study.id, trial.number, ROUGH_LATENCY, rough)
    store.set_value(study.id, trial.number, LATENCY, 1000 * alone.seconds)
    how = f"median of {alone.runs:,} runs, batch 1, {formatting.plural(threads, 'thread')}"
    value = f"{LATENCY} {formatting.number(1000 * alone.seconds)} ({how}, interval {alone.width:.0%})"
    note(f"trial {trial.number} alone: {value}; {formatting.number(rough)} in the search")
    for bound in study.spec.where:
        if bound.metric == LATENCY and not bound.holds({LATENCY: 1000 * alone.seconds}):
            note(f"trial {trial.number} breaks {bound} and leaves the front")


def _measure(file: Path, registry: Registry, threads: int, device: str) -> "SteadyLatency":
    from fersearch.training.checkpoint import Restored

    return Restored.open(file, registry, device).latency(threads)

"""Records to JSON: what `--json` prints, the interface that scripts rely on."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from fersearch.api.studies import attempts_json, finite, history_json, trial_json
from fersearch.escaping import masked
from fersearch.study import Objective
from fersearch.trial import Trial

if TYPE_CHECKING:
    from fersearch.api.checkpoints import CheckpointRow, Pulled
    from fersearch.api.datasets import DatasetRow, DatasetView
    from fersearch.api.ensembles import Ensemble
    from fersearch.api.garbage import Garbage
    from fersearch.api.plugins import PluginRow, PluginView
    from fersearch.api.reruns import Rerun
    from fersearch.api.studies import StudyView, TrialView
    from fersearch.evaluation.evaluate import EvaluationView, Examined
    from fersearch.evaluation.predict import Prediction
    from fersearch.store import StudySummary


Record = dict[str, Any]


def dump(data: Any) -> None:
    """Print data as JSON on standard output; NaN and infinity become null, passwords of URLs ***."""
    sys.stdout.write(masked(json.dumps(finite(data), indent=2, default=str)) + "\n")


def trials(found: Sequence[Trial]) -> list[Record]:
    """Trials by number, as `trial list` and `study front` give them."""
    return [trial_json(one) for one in found]


def trial(view: "TrialView") -> Record:
    """One trial with its log, attempts and history; `pid` only while it runs."""
    record = {**trial_json(view.trial), "log": view.log}
    if view.trial.released:
        record["released"] = view.trial.released
    if view.pid is not None:
        record["pid"] = view.pid
    record["attempts"] = attempts_json(view.trial)
    record["history"] = history_json(view.history)
    return record


def study(view: "StudyView") -> Record:
    """One study: `study show`."""
    return {
        "name": view.name,
        "objectives": objectives(view.spec.objectives),
        "space": view.space,
        "counts": dict(view.counts),
        "storage": view.storage,
        "looks": looks(view.looks),
        "timing": view.timing,
        "keep": str(view.spec.keep),
        "data": dict(view.data),
        "state": view.state.value,
    }


def studies(summaries: "Sequence[StudySummary]") -> list[Record]:
    """All studies: `study list`."""
    return [
        {
            "name": one.name,
            "objectives": objectives(one.objectives),
            "counts": dict(one.counts),
            "storage": one.storage,
            "looks": looks(one.looks),
            "state": one.state.value,
        }
        for one in summaries
    ]


def objectives(found: Sequence[Objective]) -> list[str]:
    """Objectives as `--objective` and study files write them."""
    return [str(objective) for objective in found]


def looks(found: Sequence[Any]) -> list[Record]:
    """The openings of the test split."""
    names = ("checkpoint", "dataset", "split", "n", "metrics", "looked")
    return [{name: getattr(look, name) for name in names} for look in found]


def checkpoints(rows: "Sequence[CheckpointRow]") -> list[Record]:
    """The checkpoints of a study."""
    return [
        {
            "trial": row.trial,
            "checkpoint": row.digest,
            "epoch": row.epoch,
            "megabytes": row.megabytes,
            "values": dict(row.values),
        }
        for row in rows
    ]


def pulled(found: "Pulled") -> Record:
    """Where a checkpoint was put."""
    return {"path": str(found.path), "trial": found.trial, "values": dict(found.values)}


def garbage(found: "Garbage") -> Record:
    """What was removed by kind, or with `dry_run` would be, and what was left alone."""
    kinds = {kind: {"files": heap.files, "megabytes": heap.bytes / 2**20} for kind, heap in found.heaps.items()}
    total = {"files": found.files, "megabytes": found.bytes / 2**20}
    left = {"running": list(found.driven), "young": found.young, "unread": dict(found.unread)}
    return {"storage": found.storage, "dry_run": found.dry_run, **total, "kinds": kinds, "left_alone": left}


def datasets(rows: "Sequence[DatasetRow]") -> list[Record]:
    """The datasets there are; `found` is null where the files are missing."""
    return [{"name": r.name, "summary": r.summary, "licence": r.licence, "found": r.found} for r in rows]


def dataset(view: "DatasetView") -> Record:
    """One dataset after filtering."""
    return {
        "name": view.name,
        "classes": list(view.classes),
        "splits": {name: {"n": part["n"], "per_class": dict(part["per_class"])} for name, part in view.splits.items()},
        "target": view.target,
        "options": dict(view.options),
        "licence": view.licence,
        "source": view.source,
        "findings": list(view.findings),
        **({"sources": {name: dict(facts) for name, facts in view.sources.items()}} if view.sources else {}),
    }


def plugins(rows: "Sequence[PluginRow]") -> list[Record]:
    """The components that plugins bring."""
    return [{"kind": row.kind, "name": row.name, "module": row.module} for row in rows]


def plugin(view: "PluginView") -> Record:
    """One component; an architecture's parameters are counted."""
    record: Record = {"kind": view.kind, "name": view.name, "space": dict(view.space)}
    if view.parameters is not None:
        record["parameters"] = dict(view.parameters)
    if view.layers:
        record["layers"] = [asdict(layer) for layer in view.layers]
    return record


def predictions(found: "Sequence[Prediction]", faces: bool = False) -> list[Record]:
    """What a model says about each image; with `faces`, about the one in its `box` (null: the whole image)."""
    records = []
    for one in found:
        record: Record = {"image": str(one.image), "label": one.label, "probabilities": dict(one.probabilities)}
        if faces:
            record["box"] = list(one.box) if one.box else None
        records.append(record)
    return records


def evaluation(view: "EvaluationView") -> Record:
    """How good a checkpoint is on one split; more keys where classes are shared in part, or data is merged."""
    record: Record = {
        "dataset": view.dataset,
        "split": view.split,
        "n": view.n,
        "classes": list(view.classes),
        "metrics": dict(view.metrics),
        "per_class": {name: dict(values) for name, values in view.per_class.items()},
        "confusion": [list(row) for row in view.confusion],
    }
    if view.per_source:
        record["per_source"] = {name: dict(values) for name, values in view.per_source.items()}
    if view.duplicates is not None:
        record["duplicates_left_out"] = view.duplicates
    if view.full is not None:
        record |= {"shared": dict(view.shared), "left_out": dict(view.left_out), "spare": list(view.spare)}
        record["restricted"] = {name: record[name] for name in ("metrics", "per_class", "confusion")}
        record["full"] = {
            "outputs": list(view.full.outputs),
            "metrics": dict(view.full.metrics),
            "per_class": {name: dict(values) for name, values in view.full.per_class.items()},
            "confusion": [list(row) for row in view.full.confusion],
        }
    return record


def examined(found: "Sequence[Examined]") -> list[Record]:
    """The checkpoints of a folder, each with its evaluation or the reason why there is none."""
    return [
        {"checkpoint": str(one.checkpoint), **(evaluation(one.view) if one.view else {"error": str(one.error)})}
        for one in found
    ]


def ensemble(made: "Ensemble") -> Record:
    """What an ensemble consists of, how it was chosen, and what it is worth on validation."""
    return {
        "path": str(made.path),
        "method": made.method,
        "digest": made.digest,
        "objective": str(made.objective),
        "members": [asdict(member) for member in made.members],
        "steps": [asdict(step) for step in made.steps],
        "validation": {"n": made.n, "ensemble": made.value, "best_single": made.single},
        "crossvalidated": {"ensemble": made.fair, "best_single": made.fair_single},
        "costs": dict(made.costs),
    }


def rerun(done: "Rerun") -> Record:
    """A trial trained again, beside what was stored; `checked` metrics decide on `equal`."""
    return {
        "study": done.study,
        "trial": done.trial,
        "seed": done.seed,
        "epochs": done.epochs,
        "equal": done.equal,
        "max_difference": done.max_difference,
        "kept_epoch": {"stored": done.kept_epoch[0], "again": done.kept_epoch[1]},
        "metrics": {
            each.name: {"stored": each.stored, "again": each.again, "checked": each.checked} for each in done.metrics
        },
        "changed": [asdict(each) for each in done.changed],
        **({"path": str(done.path)} if done.path else {}),
    }

"""Convert a service's JSON records to the dataclasses that the local verbs return."""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fersearch.api.studies import Best, StudyView, TrialView
from fersearch.engines.rerun import Changed, Compared, Rerun
from fersearch.evaluation.finished import Finalist, Finish
from fersearch.search.explanation import Explanation, Peer
from fersearch.store import Look, StudySummary
from fersearch.study import Objective, StudySpec, StudyState
from fersearch.trial import Attempt, Enqueued, Epoch, Reason, Trial, TrialState

Json = Mapping[str, Any]


def summary(data: Json) -> StudySummary:
    """Convert a study of a list."""
    return StudySummary(
        name=data["name"],
        objectives=tuple(objective(text) for text in data["objectives"]),
        counts=data["counts"],
        created=moment(data["created"]),
        model=data["model"],
        dataset=data["dataset"],
        looks=tuple(map(look, data["looks"])),
        storage=data["storage"],
        state=StudyState(data["state"]),
        owner=data["owner"],
        architectures=tuple(data.get("architectures", ())),
    )


def view(data: Json, spec: StudySpec) -> StudyView:
    """Convert a study, given its specification."""
    return StudyView(
        name=data["name"],
        spec=spec,
        created=moment(data["created"]),
        counts=data["counts"],
        storage=data["storage"],
        looks=[look(one) for one in data["looks"]],
        baseline=data["baseline"],
        seconds=data["seconds"],
        environments=(),
        timing=data["timing"],
        cost_tolerances=data["cost_tolerances"],
        data=data["data"],
        plugins=data["plugins"],
        state=StudyState(data["state"]),
        owner=data["owner"],
        warnings=data["warnings"],
        finish=finish(data["finish"]) if "finish" in data else None,
        ending=data["ending"],
        enqueued=[Enqueued("", values) for values in data["enqueued"]],
        best=_best(data["best"]) if "best" in data else None,
    )


def _best(data: Json) -> Best:
    ends = data.get("interval")
    return Best(data["trial"], data["metric"], data["value"], (ends[0], ends[1]) if ends else None)


def _facts(data: Json) -> dict[str, Any]:
    """Return the facts by which a trial of a list says what is marked in tables."""
    return {"disturbed": data["disturbed"], "latency": {"alone": not data.get("rough_latency", True)}}


def trial(data: Json) -> Trial:
    """Convert a trial, from a list or in detail."""
    attempts = tuple(map(attempt, data["attempts"])) if "attempts" in data else ()
    if not attempts and data["reason"]:
        attempts = (Attempt(1, Reason(data["reason"]), facts=_facts(data)),)
    return Trial(
        number=data["number"],
        params=data["params"],
        state=TrialState(data["state"]),
        values=named(data["values"]),
        epochs=data["epochs"],
        kept_epoch=data.get("kept_epoch"),
        checkpoint=data["checkpoint"],
        attempts=attempts,
        verdict=data.get("verdict") or {},
        sampler_state={"enqueued": {"uid": "", "given": data["enqueued"]}} if data.get("enqueued") else {},
        released=data.get("released", ""),
        data_digest=data["data"] or "",
    )


def trial_view(data: Json) -> TrialView:
    """Convert a trial with its epochs."""
    epochs = [
        Epoch(one["epoch"], one["values"], one["seconds"], one["cpu_seconds"], round=one["round"])
        for one in data["history"]
    ]
    return TrialView(trial(data), epochs)


def explanation(data: Json) -> Explanation:
    """Convert the explanation of a trial."""
    same = {
        name: data[name] for name in data if name not in ("schema", "objectives", "own", "ahead", "projected", "told")
    }
    return Explanation(
        **{**same, "state": TrialState(data["state"]), "reason": Reason(data["reason"]) if data["reason"] else None},
        objectives=tuple(map(objective, data["objectives"])),
        own=_peer(data["own"]) if data["own"] else None,
        ahead=tuple(map(_peer, data["ahead"])),
        projected=tuple(data["projected"]),
        sentences=tuple(data["told"]),
    )


def _peer(data: Json) -> Peer:
    return Peer(**{**data, "values": named(data["values"]), "better_by": named(data["better_by"])})


def named(values: Json) -> dict[str, float]:
    """Convert values by name; null is NaN."""
    return {name: math.nan if value is None else value for name, value in values.items()}


def rerun(data: Json) -> Rerun:
    """Read how a trial came out that was trained again."""
    epoch = data["kept_epoch"]
    return Rerun(
        **{name: data[name] for name in ("study", "trial", "seed", "epochs")},
        kept_epoch=(epoch["stored"], epoch["again"]),
        metrics=tuple(Compared(name, **values) for name, values in data["metrics"].items()),
        changed=tuple(Changed(**one) for one in data["changed"]),
    )


def attempt(data: Json) -> Attempt:
    """Convert an attempt."""
    reason = Reason(data["reason"]) if data["reason"] else None
    return Attempt(**{**{name: data[name] for name in data if name != "reason"}, "reason": reason})


def look(data: Json) -> Look:
    """Convert a look at a split, without the finish, which is part of the study."""
    known = {name: data[name] for name in ("checkpoint", "dataset", "split", "n", "metrics")}
    return Look(**known, looked=moment(data["looked"]))


def finish(data: Json) -> Finish:
    """Convert the finish of a study."""
    same = ("study", "dataset", "trial", "metric", "n", "protocol", "trained", "looks", "epochs")
    low, high = _numbers(data["interval"])
    return Finish(
        **{name: data[name] for name in same},
        seeds=tuple(data["seeds"]),
        values={name: _numbers(values) for name, values in data["values"].items()},
        interval=(low, high),
        finalists=tuple(Finalist(one["trial"], one["mean"], one["std"]) for one in data["finalists"]),
        looked=moment(data["looked"]) if data["looked"] else None,
    )


def _numbers(values: list[float | None]) -> list[float]:
    return [math.nan if value is None else value for value in values]


def objective(text: str) -> Objective:
    """Parse `METRIC:max` or `METRIC:min`."""
    metric, _, direction = text.partition(":")
    return Objective(metric, "max" if direction == "max" else "min")


def moment(text: str) -> datetime:
    """Parse an ISO 8601 time."""
    return datetime.fromisoformat(text)

"""The last comparison of a trial, rebuilt from stored epochs with the pruner's own functions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from fersearch.components import Metric
from fersearch.search.aggregation import max_epochs, mean_of_rounds, planned_epochs
from fersearch.search.bounds import broken, projected_to_break
from fersearch.search.explanation import LONGEST, Explanation, Peer, in_sentences
from fersearch.search.pruner import Levels, compared_values, losses_of, rank_of
from fersearch.study import Objective, StudySpec
from fersearch.trial import Epoch, Trial

Metrics = Mapping[str, Metric]
Values = Mapping[str, float]


@dataclass(frozen=True)
class Recorded:
    """Recorded epochs by trial, and the times of their first and last record by trial and epoch."""

    epochs: Mapping[int, Sequence[Epoch]]
    moments: Mapping[tuple[int, int], tuple[datetime, datetime]]


@dataclass(frozen=True)
class _Vote:
    """A trial's epoch at a rung, and the times at which it first and last got there; resumed trials may repeat it."""

    epoch: Epoch
    first: datetime
    last: datetime


def explain(
    spec: StudySpec, metrics: Metrics, trial: Trial, trials: Sequence[Trial], recorded: Recorded
) -> Explanation:
    """Explain why a trial stopped or continued; `trials` are all of its study on the same data."""
    rung = trial.verdict.get("rung")
    votes = {} if rung is None else _votes(spec, metrics, trials, recorded, int(rung))
    explanation = _verdict_of(spec, trial)
    if trial.number in votes:
        explanation = _among_peers(explanation, spec, metrics, trials, votes)
    return replace(explanation, sentences=in_sentences(explanation, trial, spec.pruner))


def _verdict_of(spec: StudySpec, trial: Trial) -> Explanation:
    """Return the part of an explanation that follows from the trial's own row."""
    verdict = trial.verdict
    return Explanation(
        trial.number,
        trial.state,
        trial.reason,
        trial.epochs,
        _planned(spec, trial),
        spec.objectives,
        "round" if spec.protocol.in_rounds else "epoch",
        bool(verdict.get("stop")),
        verdict.get("rung"),
        verdict.get("rank"),
        verdict.get("peers", 0),
        verdict.get("kept", 0),
        bounds=broken(spec.where, trial.values),
    )


def _among_peers(
    explanation: Explanation, spec: StudySpec, metrics: Metrics, trials: Sequence[Trial], votes: Mapping[int, _Vote]
) -> Explanation:
    """Return the explanation with the trial's rank among those that had reached the rung by then."""
    own = votes[explanation.number]
    values = {
        trial.number: compared_values(spec.objectives, metrics, vote.epoch, _planned(spec, trial), explanation.unit)
        for trial in trials
        if (vote := votes.get(trial.number)) is not None and vote.first <= own.last
    }
    levels = Levels()
    for number, compared in values.items():
        levels.put(number, losses_of(compared, spec.objectives, metrics))
    rank = rank_of(levels, explanation.number, spec.rules)
    places = _places(levels, spec.objectives, values, explanation.number)
    ends = own.epoch.number if explanation.unit == "round" else explanation.planned
    return replace(
        explanation,
        own=next(peer for peer in places if peer.number == explanation.number),
        ahead=tuple(places[: rank - 1][:LONGEST]),
        projected=_projected(metrics, values[explanation.number]) if explanation.unit == "epoch" else (),
        bounds=explanation.bounds or projected_to_break(spec.where, metrics, own.epoch, ends),
        rebuilt=explanation.rank in (None, rank) and explanation.peers == len(values),
    )


def _places(levels: Levels, objectives: Sequence[Objective], values: Mapping[int, Values], own: int) -> list[Peer]:
    """Return all peers at a rung, the best first."""
    dominating = levels.dominating(own)
    return [
        Peer(number, front + 1, values[number], _gains(objectives, values[number], values[own]), number in dominating)
        for number, front in levels.order()
    ]


def _votes(
    spec: StudySpec, metrics: Metrics, trials: Sequence[Trial], recorded: Recorded, rung: int
) -> dict[int, _Vote]:
    votes: dict[int, _Vote] = {}
    for number in (trial.number for trial in trials):
        epochs = {epoch.number: epoch for epoch in recorded.epochs.get(number, ())}
        last = next((one for one in epochs.values() if _is_at(one, rung, spec.protocol.in_rounds)), None)
        if last is None or (number, last.number) not in recorded.moments:
            continue
        so_far = {key: one for key, one in epochs.items() if key <= last.number}
        mean = mean_of_rounds(last, so_far, spec.objectives[0], metrics) if spec.protocol.in_rounds else last
        votes[number] = _Vote(mean, *recorded.moments[number, last.number])
    return votes


def _is_at(epoch: Epoch, rung: int, in_rounds: bool) -> bool:
    return epoch.last and epoch.round == rung if in_rounds else epoch.number == rung


def _planned(spec: StudySpec, trial: Trial) -> int:
    return planned_epochs(trial.params, max_epochs(spec.space))


def _projected(metrics: Metrics, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(name for name in names if (metric := metrics.get(name)) is not None and metric.cumulative)


def _gains(objectives: Sequence[Objective], values: Values, own: Values) -> dict[str, float]:
    names = {objective.metric: objective for objective in objectives}
    return {name: one.loss(own[name]) - one.loss(values[name]) for name, one in names.items()}

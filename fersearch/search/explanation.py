"""The reasons why a trial stopped or continued, as data and in sentences."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fersearch.formatting import number, plural
from fersearch.search.pruner import Unit
from fersearch.study import Objective
from fersearch.trial import Reason, Trial, TrialState

LONGEST = 100
"""Most peers in an explanation, the best first."""
MOST_NAMED = 3
"""Most of them named in a sentence."""
NOT_REBUILT = (
    "this rank cannot be rebuilt from the stored epochs: trials resumed since then have replaced theirs, or the plugin "
    "of a metric is missing"
)


@dataclass(frozen=True)
class Peer:
    """A trial at a rung: its front there (1 is not dominated) and the values that it was compared on.

    `better_by` says how much better each value is than the explained trial's, negative where it is worse, NaN where
    either is undefined; `dominates` that it is no worse in anything and better in something.
    """

    number: int
    front: int
    values: Mapping[str, float]
    better_by: Mapping[str, float]
    dominates: bool = False


@dataclass(frozen=True)
class Explanation:
    """Why a trial stopped or continued: its state, its last verdict, and the trials ahead of it there.

    `epochs` of `planned` were trained. `rung` counts in the `unit`; it is None where the trial was never
    compared, `rank` also with too few peers. `own` is the trial at that rung, `ahead` those before it, the best first,
    at most `LONGEST` of `rank - 1`. `projected` names the metrics whose values are projected to the end of training,
    `bounds` the bounds that it breaks or would have broken. `rebuilt` is False where stored epochs do not give the
    rank and the number of peers of the verdict. `sentences` says the same as text.
    """

    number: int
    state: TrialState
    reason: Reason | None
    epochs: int
    planned: int
    objectives: tuple[Objective, ...]
    unit: Unit = "epoch"
    stopped: bool = False
    rung: int | None = None
    rank: int | None = None
    peers: int = 0
    kept: int = 0
    own: Peer | None = None
    ahead: tuple[Peer, ...] = ()
    projected: tuple[str, ...] = ()
    bounds: str = ""
    rebuilt: bool = True
    sentences: tuple[str, ...] = ()

    @property
    def better(self) -> list[Peer]:
        """Those ahead that dominate the trial."""
        return [peer for peer in self.ahead if peer.dominates]


def in_sentences(explanation: Explanation, trial: Trial, pruner: str) -> tuple[str, ...]:
    """Return an explanation in sentences."""
    lines = [_state(explanation, trial), _verdict(explanation, trial, pruner), *_place(explanation)]
    if explanation.bounds and not any(explanation.bounds in line for line in lines):
        lines.append(f"it breaks a bound: {explanation.bounds}")
    if not explanation.rebuilt:
        lines.append(NOT_REBUILT)
    return tuple(lines)


def _state(explanation: Explanation, trial: Trial) -> str:
    message = trial.attempts[-1].message if trial.attempts else ""
    match explanation.state:
        case TrialState.WAITING:
            return "waiting to be run"
        case TrialState.FAILED | TrialState.INFEASIBLE:
            state, reason = explanation.state.value, explanation.reason or "reason unknown"
            because = "" if reason == state else f" ({reason})"
            return f"{state}{because}: {message.removeprefix(f'{reason}: ') or 'without a message'}"
    trained = (
        plural(explanation.epochs, "epoch")
        if explanation.unit == "round"
        else f"{explanation.epochs} of {plural(explanation.planned, 'epoch')}"
    )
    return f"{explanation.state} after {trained}"


def _verdict(explanation: Explanation, trial: Trial, pruner: str) -> str:
    if explanation.rung is None:
        none = "the study has no pruner"
        rung = f"it reached no rung ({explanation.unit}s at which trials are compared)"
        return f"not compared with other trials: {none if pruner == 'none' else rung}"
    if reason := trial.verdict.get("reason"):
        return str(reason)
    place, did = f"{explanation.unit} {explanation.rung}", "stopped" if explanation.stopped else "went on"
    if explanation.rank is None:
        return f"{did} at {place}: too few trials had reached it to compare"
    return f"{did} at {place}: rank {explanation.rank} of {explanation.peers}; the best {explanation.kept} go on"


def _place(explanation: Explanation) -> list[str]:
    own, better = explanation.own, explanation.better
    if own is None:
        return []
    values = ", ".join(f"{name} {_value(value)}{_until(explanation, name)}" for name, value in own.values.items())
    among = f"front {own.front} of the {plural(explanation.peers, 'trial')} that had reached it"
    lines = [f"its values there: {values}; on {among}"]
    if better:
        named = "; ".join(f"trial {peer.number} ({_gains(peer)})" for peer in better[:MOST_NAMED])
        lines.append(f"{_how_many(explanation, len(better))} dominated it: {named}{_more(better)}")
    else:
        lines.append("no trial dominated it: none was at least as good in every objective and better in one")
    if others := len(explanation.ahead) - len(better):
        where = "on a better front, or earlier on the same one"
        lines.append(f"{_how_many(explanation, others)} ranked ahead of it without dominating it: {where}")
    return lines


def _how_many(explanation: Explanation, count: int) -> str:
    """Return a count of trials as text, with "at least" where the list of peers was cut."""
    at_least = "at least " if len(explanation.ahead) == LONGEST else ""
    return f"{at_least}{plural(count, 'trial')}"


def _gains(peer: Peer) -> str:
    return ", ".join(
        f"{name} undefined for this trial" if math.isnan(gain) else f"{name} better by {number(gain)}"
        for name, gain in peer.better_by.items()
        if gain and not math.isnan(peer.values[name])
    )


def _value(value: float) -> str:
    return "undefined" if math.isnan(value) else number(value)


def _more(peers: Sequence[Peer]) -> str:
    return f"; and {len(peers) - MOST_NAMED} more" if len(peers) > MOST_NAMED else ""


def _until(explanation: Explanation, metric: str) -> str:
    return f" (projected to {plural(explanation.planned, 'epoch')})" if metric in explanation.projected else ""

"""The reasons why a trial stopped or continued, as data and in sentences."""

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
UNLIKE = (
    "stored epochs do not give that rank: trials resumed since have replaced theirs, or a metric's plugin is missing"
)


@dataclass(frozen=True)
class Peer:
    """A trial at a rung: its front there (1 is not dominated) and the values that it was compared on.

    `better_by` says how much better each value is than the explained trial's, negative where it is worse;
    `dominates` that it is no worse in anything and better in something.
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
    rank and the number of peers of the verdict. `sentences` has all of it in words.
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
        lines.append(UNLIKE)
    return tuple(lines)


def _state(explanation: Explanation, trial: Trial) -> str:
    message = trial.attempts[-1].message if trial.attempts else ""
    match explanation.state:
        case TrialState.WAITING:
            return "waiting: it has not ended"
        case TrialState.FAILED | TrialState.INFEASIBLE:
            return f"{explanation.state} ({explanation.reason or 'unknown'}): {message or 'no message was left'}"
    trained = (
        plural(explanation.epochs, "epoch")
        if explanation.unit == "round"
        else f"{explanation.epochs} of {explanation.planned} epochs"
    )
    return f"{explanation.state} after {trained}"


def _verdict(explanation: Explanation, trial: Trial, pruner: str) -> str:
    if explanation.rung is None:
        return "compared with no other: the study's pruner is none" if pruner == "none" else "it reached no rung"
    if reason := trial.verdict.get("reason"):
        return str(reason)
    place, did = f"{explanation.unit} {explanation.rung}", "stopped" if explanation.stopped else "went on"
    if explanation.rank is None:
        return f"{did} at {place}: too few had reached it to compare"
    return f"{did} at {place}: rank {explanation.rank} of {explanation.peers}; the best {explanation.kept} go on"


def _place(explanation: Explanation) -> list[str]:
    own, better = explanation.own, explanation.better
    if own is None:
        return []
    values = ", ".join(f"{name} {number(value)}{_until(explanation, name)}" for name, value in own.values.items())
    lines = [f"compared on {values}: front {own.front} of those that had reached it"]
    if better:
        named = "; ".join(f"trial {peer.number} by {_gains(peer)}" for peer in better[:MOST_NAMED])
        lines.append(f"{_how_many(explanation, len(better))} dominated it: {named}{_more(better)}")
    else:
        lines.append("none dominated it: none was as good in everything and better in something")
    if others := len(explanation.ahead) - len(better):
        where = "in a better front, or in its own and ranked before it"
        lines.append(f"{_how_many(explanation, others)} ranked ahead of it without dominating it: {where}")
    return lines


def _how_many(explanation: Explanation, count: int) -> str:
    """Return a count of trials as text, with "at least" where the list of peers was cut."""
    at_least = "at least " if len(explanation.ahead) == LONGEST else ""
    return f"{at_least}{plural(count, 'trial')}"


def _gains(peer: Peer) -> str:
    return ", ".join(f"{number(gain)} {name}" for name, gain in peer.better_by.items() if gain)


def _more(peers: Sequence[Peer]) -> str:
    return f"; and {len(peers) - MOST_NAMED} more" if len(peers) > MOST_NAMED else ""


def _until(explanation: Explanation, metric: str) -> str:
    return f" (projected to {plural(explanation.planned, 'epoch')})" if metric in explanation.projected else ""

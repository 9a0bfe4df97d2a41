"""The grounds on which a trial stopped or went on, and the same in sentences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fersearch.formatting import number, plural
from fersearch.search.pruner import Unit
from fersearch.study import Objective
from fersearch.trial import Reason, Trial, TrialState

LONGEST = 100
"""So many peers are named at most, the best first."""
TOLD = 3
"""So many of them in sentences."""
UNLIKE = (
    "stored epochs do not give that rank: trials resumed since have replaced theirs, or a metric's plugin is not here"
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
    """Why a trial stopped or went on: its state, its last verdict, and who was ahead of it there.

    `epochs` are those trained of `planned`. `rung` counts in the `unit`; it is None where the trial never was
    compared, `rank` also with too few peers. `own` is the trial at that rung, `ahead` those before it, the best first,
    at most `LONGEST` of `rank - 1`. `projected` names the metrics whose values are projected to the end of training,
    `bounds` the bounds that it breaks or would have broken. `rebuilt` is False where stored epochs do not give the
    rank and the number of peers of the verdict. `told` has all of it in sentences.
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
    told: tuple[str, ...] = ()

    @property
    def better(self) -> list[Peer]:
        """Those ahead that dominate the trial."""
        return [peer for peer in self.ahead if peer.dominates]


def told(found: Explanation, trial: Trial, pruner: str) -> tuple[str, ...]:
    """Return an explanation in sentences."""
    lines = [_state(found, trial), _verdict(found, trial, pruner), *_place(found)]
    if found.bounds and not any(found.bounds in line for line in lines):
        lines.append(f"it breaks a bound: {found.bounds}")
    if not found.rebuilt:
        lines.append(UNLIKE)
    return tuple(lines)


def _state(found: Explanation, trial: Trial) -> str:
    message = trial.attempts[-1].message if trial.attempts else ""
    match found.state:
        case TrialState.WAITING:
            return "waiting: it has not ended"
        case TrialState.FAILED | TrialState.INFEASIBLE:
            return f"{found.state} ({found.reason or 'unknown'}): {message or 'no message was left'}"
    trained = plural(found.epochs, "epoch") if found.unit == "round" else f"{found.epochs} of {found.planned} epochs"
    return f"{found.state} after {trained}"


def _verdict(found: Explanation, trial: Trial, pruner: str) -> str:
    if found.rung is None:
        return "compared with no other: the study's pruner is none" if pruner == "none" else "it came to no rung"
    if reason := trial.verdict.get("reason"):
        return str(reason)
    place, did = f"{found.unit} {found.rung}", "stopped" if found.stopped else "went on"
    if found.rank is None:
        return f"{did} at {place}: too few had come to compare"
    return f"{did} at {place}: rank {found.rank} of {found.peers}; the best {found.kept} go on"


def _place(found: Explanation) -> list[str]:
    if found.own is None:
        return []
    values = ", ".join(f"{name} {number(value)}{_until(found, name)}" for name, value in found.own.values.items())
    lines = [f"compared on {values}: front {found.own.front} of those that had come"]
    if found.better:
        named = "; ".join(f"trial {peer.number} by {_gains(peer)}" for peer in found.better[:TOLD])
        lines.append(f"{_how_many(found, len(found.better))} dominated it: {named}{_more(found.better)}")
    else:
        lines.append("none dominated it: none was as good in everything and better in something")
    if rest := len(found.ahead) - len(found.better):
        where = "in a better front, or in its own and ranked before it"
        lines.append(f"{_how_many(found, rest)} stood ahead of it without dominating it: {where}")
    return lines


def _how_many(found: Explanation, count: int) -> str:
    """Return a count of trials; at least so many where not all are named."""
    at_least = "at least " if len(found.ahead) == LONGEST else ""
    return f"{at_least}{plural(count, 'trial')}"


def _gains(peer: Peer) -> str:
    return ", ".join(f"{number(gain)} {name}" for name, gain in peer.better_by.items() if gain)


def _more(peers: Sequence[Peer]) -> str:
    return f"; and {len(peers) - TOLD} more" if len(peers) > TOLD else ""


def _until(found: Explanation, metric: str) -> str:
    return f" (projected to {plural(found.planned, 'epoch')})" if metric in found.projected else ""

"""Records that explain why a trial stopped or went on."""

from typing import TYPE_CHECKING, Self

from pydantic import Field

from fersearch.api.records.base import Number, Part, Record
from fersearch.trial import Reason, TrialState

if TYPE_CHECKING:
    from fersearch.api.results import Explanation as ExplanationView
    from fersearch.search.explanation import Peer


class ComparedPeer(Part):
    """A trial's values at a rung."""

    number: int
    front: int = Field(description="Its Pareto front there; 1 is not dominated")
    values: dict[str, Number] = Field(
        description="Values it was compared by; costs are projected to the end of training"
    )
    better_by: dict[str, Number] = Field(description="Difference from the explained trial: positive is better")
    dominates: bool = Field(description="Whether it dominates the explained trial")

    @classmethod
    def of(cls, peer: "Peer") -> Self:
        """Return the record of a peer."""
        return cls(
            number=peer.number,
            front=peer.front,
            values=dict(peer.values),
            better_by=dict(peer.better_by),
            dominates=peer.dominates,
        )


class Explanation(Record):
    """Why a trial stopped, or went on: its last comparison with others."""

    number: int
    state: TrialState
    reason: Reason | None = Field(description="Why its last attempt ended; null while it runs")
    epochs: int = Field(description="Epochs trained")
    planned: int = Field(description="Epochs planned, per round")
    objectives: list[str] = Field(description="Metrics compared, as METRIC:max or METRIC:min")
    unit: str = Field(description="Unit of the rungs: epoch or round")
    stopped: bool = Field(description="Whether it was stopped at its last rung")
    rung: int | None = Field(description="The last rung it was compared at; null if none")
    rank: int | None = Field(description="Its rank there, from 1; null with too few peers")
    peers: int = Field(description="Trials that had reached that rung, including itself")
    kept: int = Field(description="How many of them continued")
    own: ComparedPeer | None = Field(description="The trial itself at that rung; null if not stored")
    ahead: list[ComparedPeer] = Field(description="Trials ranked ahead of it, best first, at most 100")
    projected: list[str] = Field(description="Metrics whose values are projected to the end of training")
    bounds: str = Field(description="Bounds that it violates or would have violated; empty if none")
    rebuilt: bool = Field(description="Whether the stored epochs reproduce the rank and peers of the decision")
    told: list[str] = Field(description="The explanation as sentences")

    @classmethod
    def of(cls, view: "ExplanationView") -> Self:
        """Return the record of an explanation."""
        other = ("schema_", "objectives", "own", "ahead", "projected", "told")
        return cls(
            **{name: getattr(view, name) for name in cls.model_fields if name not in other},
            objectives=list(map(str, view.objectives)),
            own=ComparedPeer.of(view.own) if view.own else None,
            ahead=[ComparedPeer.of(peer) for peer in view.ahead],
            projected=list(view.projected),
            told=list(view.sentences),
        )

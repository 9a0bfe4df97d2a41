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
    values: dict[str, Number] = Field(description="What it was compared on; costs as they will be at the end")
    better_by: dict[str, Number] = Field(description="How much better than the explained trial; negative for worse")
    dominates: bool = Field(description="Whether it was no worse in anything and better in something")

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
    planned: int = Field(description="Epochs of its configuration, in each round")
    objectives: list[str] = Field(description="What was compared, as METRIC:max or METRIC:min")
    unit: str = Field(description="epoch or round: what rungs count")
    stopped: bool = Field(description="Whether it was stopped at its last rung")
    rung: int | None = Field(description="Where it was compared last; null where it never was")
    rank: int | None = Field(description="Its rank there, from 1; null with too few peers")
    peers: int = Field(description="How many trials had reached it, itself included")
    kept: int = Field(description="How many of them went on")
    own: ComparedPeer | None = Field(description="The trial itself at that rung; null where that is not stored")
    ahead: list[ComparedPeer] = Field(description="Who was ranked before it, the best first, 100 at most")
    projected: list[str] = Field(description="Metrics whose values are projected to the end of training")
    bounds: str = Field(description="The bounds that it breaks or would have broken; empty if none")
    rebuilt: bool = Field(description="Whether stored epochs give the rank and the peers of the verdict")
    told: list[str] = Field(description="The same in sentences")

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

"""Variants of the project's rung rule, for experiments: what is compared, how ties fall, and who is never stopped.

python -m tests.benchmarks.search.variants [--table ferplus] [--seeds 20] [--offset 0] [--workers 2,8]
"""

import argparse
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from fersearch.pareto import epsilon_net, fronts
from fersearch.search.pruner import MIN_PEERS, Verdict, compared_values, losses_of, rungs
from fersearch.space import Space, Value
from fersearch.trial import Epoch
from tests.benchmarks.search import replay
from tests.benchmarks.search.methods import METRICS, OBJECTIVES, Fersearch
from tests.benchmarks.search.rungs import by_contribution
from tests.benchmarks.search.tables import Matrix, read_table


@dataclass(frozen=True)
class Rule:
    """A variant: `protect` the first front, `ties` by net or hypervolume, `half` rounded, `peers` all or ended ones."""

    protect: bool = False
    ties: str = "net"
    half: str = "ceil"
    peers: str = "all"
    eta: int = 2

    def stops(self, losses: Matrix) -> bool:
        """Decide for the last of the losses (n x objectives)."""
        survivors = getattr(math, self.half)(len(losses) / self.eta)
        ahead = 0
        for level, front in enumerate(fronts(losses)):
            if len(losses) - 1 not in front:
                ahead += len(front)
                continue
            if (self.protect and level == 0) or ahead + len(front) <= survivors:
                return False
            return ahead >= survivors or self._order(losses[front]).index(len(front) - 1) >= survivors - ahead
        raise AssertionError("the trial stands on no front")

    def _order(self, losses: Matrix) -> list[int]:
        if self.ties == "net":
            return epsilon_net(losses)
        worst = losses.max(axis=0)
        return by_contribution(losses, np.maximum(1.1 * worst, 0.9 * worst))


@dataclass
class RulePruner:
    """The project's pruner with another rule."""

    rule: Rule
    epochs: int
    ended: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._votes: dict[int, dict[int, tuple[float, ...]]] = {rung: {} for rung in rungs(self.epochs)}

    def judge(self, number: int, epoch: Epoch, planned: int) -> Verdict:
        self.vote(number, epoch, planned)
        votes = self._votes.get(epoch.number, {})
        others = [vote for other, vote in votes.items() if self._competes(other) and other != number]
        if len(others) + 1 < MIN_PEERS or epoch.number >= planned:
            return Verdict()
        return Verdict(self.rule.stops(np.array([*others, votes[number]])), epoch.number)

    def vote(self, number: int, epoch: Epoch, planned: int) -> None:
        if epoch.number in self._votes:
            values = compared_values(OBJECTIVES, METRICS, epoch, planned)
            self._votes[epoch.number][number] = losses_of(values, OBJECTIVES, METRICS)

    def _competes(self, number: int) -> bool:
        return self.rule.peers == "all" or number in self.ended


class Variant(Fersearch):
    """The project's search with another rung rule."""

    def __init__(
        self,
        space: Space,
        seed: int,
        first: Sequence[Mapping[str, Value]],
        rule: Rule,
        epochs: int,
        recipes: bool = False,
    ) -> None:
        super().__init__(space, seed, first, recipes)
        self._search._pruner = self._rung = RulePruner(rule, epochs)

    def finish(self, number: int, curve: Matrix, is_whole: bool) -> None:
        super().finish(number, curve, is_whole)
        self._rung.ended.add(number)


RULES = {
    "as-built": Rule(),
    "hv": Rule(ties="hypervolume"),
    "floor": Rule(half="floor"),
    "floor+hv": Rule(half="floor", ties="hypervolume"),
    "ended": Rule(peers="ended"),
    "protect": Rule(protect=True),
    "protect+hv": Rule(protect=True, ties="hypervolume"),
    "protect+floor": Rule(protect=True, half="floor"),
    "protect+ended": Rule(protect=True, peers="ended"),
    "protect+floor+hv": Rule(protect=True, half="floor", ties="hypervolume"),
    "protect+floor+ended": Rule(protect=True, half="floor", peers="ended"),
    "protect+floor+hv+ended": Rule(protect=True, half="floor", ties="hypervolume", peers="ended"),
    "protect+eta3": Rule(protect=True, eta=3),
}


def main() -> None:
    """Print a row per variant; the last column is the time of the rule as built over that of the variant."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", default="ferplus")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--offset", type=int, default=0, help="worlds from this one on")
    parser.add_argument("--workers", default="2,8")
    parser.add_argument("--raw", action="store_true")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rules", default=",".join(RULES))
    parser.add_argument("--rivals", default="", help="also run these methods of the replay")
    options = parser.parse_args()
    register(options.table)
    names = ["fersearch", "optuna-tpe", "random", *options.rules.split(","), *filter(None, options.rivals.split(","))]
    compared = partial(
        replay.compare,
        replay.Worlds(options.table, options.raw, offset=options.offset),
        options.seeds,
        names=names,
        processes=options.processes,
    )
    results = itertools.chain.from_iterable(compared(workers=int(workers)) for workers in options.workers.split(","))
    print(replay.as_table(list(results)))


def register(table: str) -> None:
    """Make the variants known to the replay."""
    epochs = read_table(table).epochs
    replay.METHODS.update({name: partial(Variant, rule=rule, epochs=epochs) for name, rule in RULES.items()})
    with_recipes = {
        f"recipes+{name}": partial(Variant, rule=rule, epochs=epochs, recipes=True) for name, rule in RULES.items()
    }
    replay.METHODS.update(with_recipes)


if __name__ == "__main__":
    main()

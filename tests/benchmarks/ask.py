"""CPU milliseconds of a proposal and of a rung decision, beside Optuna's own TPE in the same run.

python -m tests.benchmarks.ask [--trials 100,1000,5000]
"""

import argparse
import random
import time
from collections.abc import Callable, Sequence
from statistics import median

from optuna.samplers import TPESampler

from fersearch.search import optuna_sampler
from fersearch.search.optuna_sampler import OptunaSampler
from fersearch.search.pruner import ParetoPruner
from fersearch.space import Choice, Dimension, Float, Int, Space, Value
from fersearch.study import Budget, Objective, StudySpec
from fersearch.trial import Epoch, Trial, TrialState

OBJECTIVES = (Objective("f1_macro", "max"), Objective("train_seconds", "min"), Objective("peak_memory_mb", "min"))
OURS = optuna_sampler.tpe_sampler


def wide_space() -> Space:
    """Return a space of 26 dimensions, three of them conditional."""
    dimensions: dict[str, Dimension] = {f"real_{i}": Float(1e-4, 1.0, log=i % 2 == 0) for i in range(14)}
    dimensions |= {f"choice_{i}": Choice("a", "b", "c") for i in range(6)}
    dimensions |= {f"whole_{i}": Int(1, 9) for i in range(3)}
    dimensions |= {f"inner_{i}": Float(0.0, 1.0, when={"choice_0": ("a",)}) for i in range(3)}
    return Space(dimensions)


def random_params(space: Space, chance: random.Random) -> dict[str, Value]:
    """Draw a configuration."""
    params: dict[str, Value] = {}
    for name, dimension in space.active(params):
        if isinstance(dimension, Choice):
            params[name] = chance.choice(dimension.options)
        elif isinstance(dimension, Int):
            params[name] = chance.randint(dimension.low, dimension.high)
        else:
            params[name] = chance.uniform(dimension.low, dimension.high)
    return params


def seconds_of(samplers: Sequence[Callable[..., TPESampler]], count: int, asks: int) -> list[float]:
    """Return the median CPU milliseconds of a proposal by each sampler, taking turns; equal draws are checked."""
    space, chance = wide_space(), random.Random(1)
    spec = StudySpec("asked", "cnn", "faces", OBJECTIVES, space, budget=Budget(10**6))
    trials = [Trial(number, random_params(space, chance), TrialState.COMPLETE) for number in range(count)]
    values = [[chance.random(), chance.random(), chance.random()] for _ in trials]
    sides = [OptunaSampler(spec, trials, lambda trial: values[trial.number]) for _ in samplers]
    spent: list[list[float]] = [[] for _ in samplers]
    for number in range(count, count + asks):
        proposals = []
        for side, sampler, seconds in zip(sides, samplers, spent, strict=True):
            optuna_sampler.tpe_sampler = sampler
            began = time.process_time()
            proposals.append(side.ask(number))
            seconds.append(time.process_time() - began)
            side.tell(number, [0.5, 0.5, 0.5])
        if any(proposal != proposals[0] for proposal in proposals):
            raise SystemExit(f"the draws of trial {number} differ")
    optuna_sampler.tpe_sampler = OURS
    return [1000 * median(seconds) for seconds in spent]


def stock(_observations: object, seed: int, multivariate: bool | None = None) -> TPESampler:
    """Return Optuna's own sampler."""
    return TPESampler(seed=seed, multivariate=multivariate)


def decided(count: int, decisions: int = 50) -> float:
    """Return the median CPU milliseconds of a decision at a rung where `count` trials came by."""
    chance, pruner = random.Random(2), ParetoPruner(OBJECTIVES, {}, 12)
    spent = []
    for number in range(count + decisions):
        quality = chance.random()
        values = {"f1_macro": quality, "train_seconds": chance.random() + quality, "peak_memory_mb": chance.random()}
        began = time.process_time()
        pruner.judge(number, Epoch(1, values, 1.0), 12)
        spent.append(time.process_time() - began)
    return 1000 * median(spent[count:])


def main() -> None:
    """Print a row for each number of ended trials."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", default="100,1000,5000")
    counts = [int(count) for count in parser.parse_args().trials.split(",")]
    print("ended trials   Optuna's own   here    ratio   rung decision   (CPU ms)")
    for count in counts:
        theirs, ours = seconds_of((stock, OURS), count, asks=30 if count < 2000 else 8)
        print(f"{count:>12,} {theirs:>14.1f} {ours:>6.1f} {theirs / ours:>8.2f} {decided(count):>15.2f}")


if __name__ == "__main__":
    main()

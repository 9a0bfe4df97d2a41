"""Compare search methods in virtual time over worlds made from recorded runs.

python -m tests.benchmarks.search.replay [--table ferplus] [--seeds 20] [--workers 2,8] [--searched-epochs]
    [--quick] [--json]

A start is a world (a bootstrap of the table) and ten first configurations, the same for every method. T is the time in
which random search ends 60 trials (up to two workers) or 120. Hypervolumes count complete trials alone, over costs in
logs, from a reference point fixed by the table. `t95` and `t100` are the times to 95 % and all of what random had at T,
in shares of T; `t95_of_tpe` is the time to 95 % of what TPE had at T over TPE's own time to it, start by start.
Intervals are 95 %, by bootstrap of the medians.
"""

import argparse
import heapq
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from tests.benchmarks.search import methods, rungs
from tests.benchmarks.search.methods import Fersearch, Method, Optuna
from tests.benchmarks.search.tables import Matrix, read_table
from tests.benchmarks.search.world import Forest, Rows, SearchedEpochs, World, final, random_configuration

FIRST = 10
BEYOND = 1.5
"""How many T a search runs at most: a method may need longer than random's."""
COST_NOISE = 0.05
"""The spread of a trial's seconds from one time to the next, in logs (measurements of equal trials on one machine)."""
METHODS: dict[str, Callable[..., Method]] = {
    "fersearch": Fersearch,
    "optuna-tpe": partial(Optuna, sampler=methods.tpe),
    "optuna-nsga2": partial(Optuna, sampler=methods.nsga2),
    "random": partial(Optuna, sampler=methods.uniform),
    "asha-f1": partial(Optuna, sampler=methods.uniform, stopper=rungs.HalvingOnF1),
    "mo-asha": partial(Optuna, sampler=methods.uniform, stopper=rungs.HalvingOnFronts),
    "mmp-median": partial(Optuna, sampler=methods.tpe, stopper=rungs.MultiMetricMedian),
    "mmp-halving": partial(Optuna, sampler=methods.tpe, stopper=rungs.MultiMetricHalving),
}
SLOW = ("mmp-median", "mmp-halving")
"""Left out where a decision after every epoch of many trials would take hours."""


@dataclass(frozen=True)
class Run:
    """One search: the hypervolume after each complete trial, the best F1, and the number of proposed trials."""

    times: Matrix
    volumes: Matrix
    best_f1: float
    proposals: int

    def volume_at(self, time: float) -> float:
        """Return the hypervolume at a time."""
        place = int(np.searchsorted(self.times, time, side="right"))
        return float(self.volumes[place - 1]) if place else 0.0

    def time_to(self, volume: float) -> float:
        """Return when a hypervolume was reached; infinity if it was not."""
        reached = np.flatnonzero(self.volumes >= volume)
        return float(self.times[reached[0]]) if len(reached) else math.inf


def simulate(world: World, method: Method, workers: int, until: float, chance: np.random.Generator) -> Run:
    """Run a method with so many workers until a virtual time; trials that have not ended by then do not count."""
    curves: dict[int, Matrix] = {}
    ends: list[tuple[float, Matrix]] = []

    def begin(now: float) -> tuple[float, int, int, float]:
        number, params = method.ask()
        curve = world.curve(params).copy()
        curve[:, 1] *= math.exp(chance.normal(0, COST_NOISE))
        curves[number] = curve
        return now + curve[0, 1], number, 1, now

    events = [begin(0.0) for _ in range(workers)]
    heapq.heapify(events)
    while events[0][0] <= until:
        now, number, epoch, began = heapq.heappop(events)
        curve = curves[number]
        is_over = epoch == len(curve)
        is_stopped = method.report(number, epoch, curve)
        if not is_over and not is_stopped:
            heapq.heappush(events, (began + curve[epoch, 1], number, epoch + 1, began))
            continue
        method.finish(number, curve[:epoch], is_over)
        if is_over:
            ends.append((now, final(curve[None])[0]))
        heapq.heappush(events, begin(now))
    return _run(world, ends, len(curves))


def _run(world: World, ends: Sequence[tuple[float, Matrix]], proposals: int) -> Run:
    front = np.empty((0, 3))
    volumes, volume = [], 0.0
    for _, point in ends:
        losses = world.scale.losses(point[None])[0]
        if not (front <= losses).all(axis=1).any():
            front = np.vstack([front[~(front >= losses).all(axis=1)], losses])
            volume = world.scale.volume(front)
        volumes.append(volume)
    return Run(np.array([now for now, _ in ends]), np.array(volumes), max(point[0] for _, point in ends), proposals)


@dataclass(frozen=True)
class Worlds:
    """What worlds are made of: a table, whether its raw rows judge, and whether `epochs` is searched."""

    table: str
    is_raw: bool = False
    searches_epochs: bool = False
    offset: int = 0

    def world(self, seed: int) -> World:
        """Return the world of a start."""
        data = read_table(self.table)
        world = Rows(data) if self.is_raw else Forest(data, seed + self.offset + 1)
        return SearchedEpochs(world) if self.searches_epochs else world


def start(worlds: Worlds, seed: int, workers: int, names: Sequence[str]) -> dict[str, dict[str, float]]:
    """Run every method from one start; return each one's figures."""
    chance = np.random.default_rng([seed + worlds.offset, workers])
    world = worlds.world(seed)
    space = world.space
    first = [random_configuration(space, chance) for _ in range(FIRST)]
    costs = [make_cost(world, chance) for _ in range(200)]
    span = (60 if workers <= 2 else 120) * float(np.mean(costs)) / workers
    runs = {}
    for name in names:
        own = np.random.default_rng([seed, workers, 1])
        world = worlds.world(seed) if worlds.is_raw else world
        runs[name] = simulate(world, METHODS[name](space, seed, first), workers, BEYOND * span, own)
    return {name: figures(run, runs, span) for name, run in runs.items()}


def make_cost(world: World, chance: np.random.Generator) -> float:
    """Return the seconds of a random configuration."""
    return float(world.curve(random_configuration(world.space, chance))[-1, 1])


def figures(run: Run, runs: Mapping[str, Run], span: float) -> dict[str, float]:
    """Return the facts of a run, beside those of the others of its start."""
    chance, tpe = runs["random"].volume_at(span), runs["optuna-tpe"]
    goal = 0.95 * tpe.volume_at(span)
    return {
        "t95": run.time_to(0.95 * chance) / span,
        "t100": run.time_to(chance) / span,
        "t95_of_tpe": run.time_to(goal) / tpe.time_to(goal),
        "hv_third": run.volume_at(span / 3),
        "hv_half": run.volume_at(span / 2),
        "hv": run.volume_at(span),
        "f1": run.best_f1,
        "asked": float(run.proposals),
    }


def rows(results: Sequence[Mapping[str, Mapping[str, float]]], workers: int) -> Iterator[dict[str, Any]]:
    """Yield a row per method: the median of each figure with its interval."""
    for name in results[0]:
        row: dict[str, Any] = {"method": name, "workers": workers, "seeds": len(results)}
        for figure in results[0][name]:
            numbers = [result[name][figure] for result in results]
            row[figure], row[f"{figure}_interval"] = _median(numbers)
        ratios = [result["fersearch"]["t95_of_tpe"] / result[name]["t95_of_tpe"] for result in results]
        row["ours_over_it"], row["ours_over_it_interval"] = _median(ratios)
        yield row


def _median(numbers: Sequence[float]) -> tuple[float | None, list[float | None]]:
    """Return a median and its interval; None where it was not reached."""
    values, chance = np.array(numbers), np.random.default_rng(0)
    values = values[~np.isnan(values)]
    if not len(values):
        return None, [None, None]
    drawn = np.sort(np.median(chance.choice(values, (2000, len(values))), axis=1))
    return _rounded(float(np.median(values))), [_rounded(float(drawn[50])), _rounded(float(drawn[1949]))]


def _rounded(number: float) -> float | None:
    return round(number, 4) if math.isfinite(number) else None


def compare(worlds: Worlds, seeds: int, workers: int, names: Sequence[str], processes: int = 2) -> list[dict[str, Any]]:
    """Return the rows of all methods over so many starts."""
    one = partial(start, worlds, workers=workers, names=names)
    with ProcessPoolExecutor(processes) as pool:
        return list(rows(list(pool.map(one, range(seeds))), workers))


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", default="ferplus", help="ferplus or fer2013")
    parser.add_argument("--raw", action="store_true", help="let the raw rows judge, not a surrogate")
    parser.add_argument("--searched-epochs", action="store_true", help="search epochs from 3 up to the table's")
    parser.add_argument("--seeds", type=int, default=20, help="starts a number of workers")
    parser.add_argument("--workers", default="2,8", help="numbers of workers, as 1,2,8,32")
    parser.add_argument("--methods", default=",".join(METHODS), help="of these; random and optuna-tpe always run")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="two starts at two workers of four methods")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    chosen = ["fersearch", "optuna-tpe", "random", *options.methods.split(",")]
    if options.quick:
        options.seeds, options.workers = 2, "2"
        chosen = ["fersearch", "optuna-tpe", "random", "mmp-halving"]
    worlds = Worlds(options.table, options.raw, options.searched_epochs)
    results: list[dict[str, Any]] = []
    for workers in map(int, options.workers.split(",")):
        names = [name for name in dict.fromkeys(chosen) if workers < 32 or name not in SLOW]
        results += compare(worlds, options.seeds, workers, names, options.processes)
    print(json.dumps({"rows": results}, indent=1) if options.json else as_table(results))


def as_table(results: Sequence[Mapping[str, Any]]) -> str:
    """Return the rows as text."""
    lines = [f"{'method':<24}{'W':>3}{'n':>4}  t95   t100  of TPE's            HV T/3  T/2    T     F1   ours : it"]
    for row in results:
        low, high = row["t95_of_tpe_interval"]
        numbers = " ".join(_text(row[name]) for name in ("t95", "t100", "t95_of_tpe"))
        volumes = " ".join(_text(row[name]) for name in ("hv_third", "hv_half", "hv", "f1"))
        ours = f"{_text(row['ours_over_it'])} [{', '.join(map(_text, row['ours_over_it_interval']))}]"
        lines.append(
            f"{row['method']:<24}{row['workers']:>3}{row['seeds']:>4}  {numbers} [{_text(low)}, {_text(high)}]  "
            f"{volumes}  {ours}"
        )
    return "\n".join(lines)


def _text(number: float | None) -> str:
    return "  -  " if number is None else f"{number:.3f}"


if __name__ == "__main__":
    main()

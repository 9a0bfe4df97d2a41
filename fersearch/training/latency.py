"""The latency of a model: rough, beside other work; or steady, measured alone until its interval is narrow."""

import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import nn

from fersearch.training.batches import Pixels
from fersearch.training.measure import synchronize

RUNS_PER_CHECK = 20
"""Runs between two computations of the interval; as many warm up."""
ROUGH_RUNS, ROUGH_WARM_UP = 10, 2
LONGEST = 2.0
"""The longest measurement in seconds."""
FEWEST = 6
"""Runs below which the median has no 95 % interval."""

Once = Callable[[], object]
"""Passes one image through a model and waits for the output."""
Prepare = Callable[[nn.Module, Pixels], AbstractContextManager[Once]]
"""Prepares a model for `Once`."""
Take = Callable[[float], "SteadyLatency"]
"""Measures for at most a number of seconds."""


class Quiet(Protocol):
    """A function that has a trial measure while no other trial runs on its machine."""

    def __call__(self, take: Take) -> "SteadyLatency | None":
        """Return the measurement; None if the other trials could not be paused for long enough."""


def alone(take: Take) -> "SteadyLatency":
    """Measure at once, as no other trial runs."""
    return take(LONGEST)


@dataclass(frozen=True)
class SteadyLatency:
    """The median seconds of one image through a model over some runs, with the 95 % interval of that median."""

    seconds: float
    runs: int
    interval: tuple[float, float]

    @property
    def width(self) -> float:
        """The width of the interval as a share of the median."""
        return (self.interval[1] - self.interval[0]) / self.seconds

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "SteadyLatency":
        """Return the median of some runs, its interval by order statistics (binomial)."""
        ordered, n = sorted(seconds), len(seconds)
        reach = 0.98 * math.sqrt(n)
        low, high = math.floor(n / 2 - reach), math.ceil(n / 2 + reach)
        return cls(statistics.median(ordered), n, (ordered[max(low, 0)], ordered[min(high, n - 1)]))


def steady_latency(once: Once, width: float = 0.05, most: float = LONGEST) -> SteadyLatency:
    """Measure until the interval is at most `width`, or for `most` seconds."""
    started = time.perf_counter()
    until = started + most
    _runs(once, RUNS_PER_CHECK, started + most / 4)
    seconds = _runs(once, RUNS_PER_CHECK, until)
    while SteadyLatency.of(seconds).width > width and time.perf_counter() < until:
        seconds += _runs(once, RUNS_PER_CHECK, until)
    return SteadyLatency.of(seconds)


def rough_latency(once: Once) -> float:
    """Return the median seconds of a few runs, after two warm-up runs."""
    return statistics.median(_runs(once, ROUGH_WARM_UP + ROUGH_RUNS)[ROUGH_WARM_UP:])


@contextmanager
def in_torch(model: nn.Module, pixels: Pixels) -> Iterator[Once]:
    """Pass one image through a model in torch, on the device of its images."""
    image = pixels.take(pixels.rows([0]))

    def once() -> None:
        model(image)
        synchronize(image.device)

    model.eval()
    with torch.inference_mode():
        yield once


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch use `count` CPU threads within the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclass
class Stopwatch:
    """The latency of one trial's model: measured alone if it `counts`, as trials are compared by it, else roughly.

    A latency measured alone is not measured again in this process. `facts` describes the measurement as plain data:
    whether it was alone, its number of runs, the width of the interval, the batch size and the threads.
    """

    prepare: Prepare = in_torch
    quiet: Quiet = alone
    counts: bool = False
    threads: int = 1
    known: SteadyLatency | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    def __call__(self, model: nn.Module, pixels: Pixels) -> float:
        """Return the seconds of one image through a model: alone if it counts and that is possible, else roughly."""
        if not self.counts:
            return self.rough(model, pixels)
        if steady := self.alone(model, pixels):
            return steady.seconds
        return self.rough(model, pixels)

    def rough(self, model: nn.Module, pixels: Pixels) -> float:
        """Return the rough seconds of one image, beside other work on the machine."""
        with self.prepare(model, pixels) as once:
            seconds = rough_latency(once)
        if self.counts:
            self.facts = {"alone": False, "runs": ROUGH_RUNS, "batch": 1, "threads": self.threads}
        return seconds

    def alone(self, model: nn.Module, pixels: Pixels) -> SteadyLatency | None:
        """Return the latency while no other trial runs; None if the others could not be paused."""
        if self.known is None:
            with self.prepare(model, pixels) as once:
                self.known = self.quiet(lambda most: steady_latency(once, most=most))
        if steady := self.known:
            width = round(steady.width, 3) if steady.runs >= FEWEST else None
            self.facts = {"alone": True, "runs": steady.runs, "width": width, "batch": 1, "threads": self.threads}
        return self.known


def _runs(once: Once, count: int, until: float = math.inf) -> list[float]:
    """Return the seconds of `count` runs, or of fewer, at least one, if the time `until` is up before."""
    seconds: list[float] = []
    while len(seconds) < count and (not seconds or time.perf_counter() < until):
        started = time.perf_counter()
        once()
        seconds.append(time.perf_counter() - started)
    return seconds

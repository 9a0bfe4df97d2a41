"""The latency of a model with nothing else running, from as many runs as a narrow interval of its median needs."""

import math
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from fersearch.training.measure import synchronize

AT_ONCE = 20
"""Runs between two computations of the interval; as many warm up."""


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


def steady_latency(model: nn.Module, image: torch.Tensor, width: float = 0.05, most: float = 2.0) -> SteadyLatency:
    """Measure the latency of an image (1, channels, size, size) until its interval is at most `width`, or `most` s."""
    model.eval()
    with torch.inference_mode():
        _runs(model, image)
        until, seconds = time.perf_counter() + most, _runs(model, image)
        while SteadyLatency.of(seconds).width > width and time.perf_counter() < until:
            seconds += _runs(model, image)
    return SteadyLatency.of(seconds)


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch use `count` CPU threads within the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _runs(model: nn.Module, image: torch.Tensor) -> list[float]:
    seconds = []
    for _ in range(AT_ONCE):
        started = time.perf_counter()
        model(image)
        synchronize(image.device)
        seconds.append(time.perf_counter() - started)
    return seconds

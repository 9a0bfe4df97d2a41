"""A registry of small components that a request can name."""

import pytest

from fersearch import Architecture, Choice, Dataset, Metric
from fersearch.registry import Registry


class Net(Architecture):
    name = "net"
    space = {"width": Choice(8, 16)}
    stage_names = ("body", "middle", "head")
    weights = ("imagenet",)

    def build(self, params, task):
        raise NotImplementedError

    def stages(self, model):
        raise NotImplementedError


class Drawn(Dataset):
    name = "drawn"
    needs_data = False
    options = {"classes": Choice(8, 10, search="8")}
    targets = ("majority", "votes")

    def files(self, source):
        return []

    def read(self, source, options):
        raise NotImplementedError

    def label(self, columns, class_names, params):
        raise NotImplementedError


class Score(Metric):
    name = "f1_macro"

    def compute(self, evaluation):
        raise NotImplementedError


class Seconds(Score):
    name = "train_seconds"
    direction = "min"
    measured = True


class CpuSeconds(Seconds):
    name = "cpu_seconds"


class Memory(Seconds):
    name = "peak_memory_mb"


@pytest.fixture
def registry():
    metrics = {metric.name: metric for metric in (Score(), Seconds(), CpuSeconds(), Memory())}
    return Registry({"net": Net()}, {"drawn": Drawn()}, metrics)

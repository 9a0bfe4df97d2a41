"""The suites let sound components pass and catch broken ones."""

import itertools
from typing import Any

import pytest
import torch
from fersearch_architectures.cnn import Cnn
from fersearch_metrics.measured import Latency
from fersearch_metrics.quality import Accuracy

from fersearch import Choice, Float, Int, Task
from fersearch.testing import ArchitectureSuite, MetricSuite
from fersearch.testing.architectures import pairwise


def failures(suite: Any) -> set[str]:
    failed = set()
    for name in dir(suite):
        if name.startswith("test_"):
            try:
                getattr(suite, name)()
            except Exception:
                failed.add(name)
    return failed


def architecture_suite(**members: Any) -> ArchitectureSuite:
    space = {"width": Choice(1, 2)}
    kind = type("Other", (Cnn,), {"space": space, **members})
    tasks = (Task(("a", "b", "c"), 1, 24),)
    return type("Suite", (ArchitectureSuite,), {"architecture": kind(), "tasks": tasks})()  # type: ignore[no-any-return]


def changed(change: Any) -> Any:
    def build(self: Any, params: Any, task: Any) -> Any:
        return change(Cnn.build(self, params, task))

    return build


class Batchwise(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x - x.mean(0)


class InMemory(torch.nn.Module):
    """Gives features in the order in which they lie in memory, by a view that fails or by one that does not."""

    def __init__(self, fails: bool) -> None:
        super().__init__()
        self.fails = fails

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.view(len(x), -1) if self.fails else x.as_strided((len(x), x[0].numel()), (x[0].numel(), 1))


def flattened(fails: bool) -> Any:
    def change(model: Any) -> Any:
        model.fc1[0] = InMemory(fails)
        return model

    return changed(change)


def with_head(make: Any) -> Any:
    def change(model: Any) -> Any:
        model.head = make(model.head)
        return model

    return changed(change)


def test_a_sound_architecture_passes() -> None:
    assert failures(architecture_suite()) == set()


@pytest.mark.parametrize(
    ("members", "caught"),
    [
        ({"space": {"dropout": Choice(0.1, 0.2)}}, "test_its_space_stands_beside_that_of_the_recipe"),
        ({"summary": ""}, "test_it_says_what_it_is"),
        ({"build": with_head(lambda head: torch.nn.Linear(84, 5))}, "test_it_builds_and_gives_finite_logits"),
        (
            {"build": with_head(lambda head: torch.nn.Sequential(head, Batchwise()))},
            "test_the_logits_of_an_image_do_not_depend_on_its_batch",
        ),
        ({"stages": lambda self, model: list(model)[:4]}, "test_its_stages_are_all_its_weights_each_once"),
        (
            {"build": with_head(lambda head: torch.nn.Sequential(torch.nn.Softsign(), torch.nn.Hardtanh(-0.0, 0.0)))},
            "test_it_builds_and_gives_finite_logits",
        ),
        ({"stages": lambda self, model: [model, *list(model)[1:]]}, "test_it_freezes_and_unfreezes_by_every_rule"),
        ({"build": flattened(fails=True)}, "test_it_computes_the_same_in_both_memory_formats"),
        ({"build": flattened(fails=False)}, "test_it_computes_the_same_in_both_memory_formats"),
    ],
)
def test_a_broken_architecture_is_caught(members: dict[str, Any], caught: str) -> None:
    assert caught in failures(architecture_suite(**members))


def test_a_seed_that_is_ignored_is_caught() -> None:
    counter = itertools.count()

    def change(model: Any) -> Any:
        torch.nn.init.constant_(model.head.bias, next(counter))
        return model

    assert failures(architecture_suite(build=changed(change))) == {"test_the_same_seed_gives_the_same_weights"}


def metric_suite(kind: Any, **members: Any) -> MetricSuite:
    return type("Suite", (MetricSuite,), {"metric": type("Other", (kind,), members)()})()  # type: ignore[no-any-return]


def test_sound_metrics_pass() -> None:
    assert failures(metric_suite(Accuracy)) == set()
    assert failures(metric_suite(Latency)) == set()


@pytest.mark.parametrize(
    ("kind", "members", "caught"),
    [
        (Accuracy, {"direction": "up"}, "test_it_says_what_it_is"),
        (Accuracy, {"direction": "min"}, "test_right_answers_are_better_than_shuffled_ones"),
        (Accuracy, {"cumulative": True}, "test_a_cumulative_metric_counts_the_whole_trial"),
        (Accuracy, {"compute": lambda self, e: e.probabilities.mean()}, "test_it_gives_a_plain_finite_number"),
        (
            Accuracy,
            {"compute": lambda self, e: float(e.labels.sort() or 1)},
            "test_it_gives_the_same_twice_and_changes_nothing",
        ),
        (Accuracy, {"compute": lambda self, e: 1 / (len(set(e.labels)) - 1)}, "test_classes_without_images_do_no_harm"),
        (
            Latency,
            {"compute": lambda self, e: float(e.probabilities[0, 0])},
            "test_a_measured_metric_reads_figures_alone_and_more_is_never_better",
        ),
    ],
)
def test_a_broken_metric_is_caught(kind: Any, members: dict[str, Any], caught: str) -> None:
    assert caught in failures(metric_suite(kind, **members))


def test_pairwise_configurations_let_every_two_values_meet() -> None:
    space = {"a": Choice(1, 2), "b": Choice("x", "y"), "c": Float(0.0, 1.0), "d": Int(3, 9, when={"a": (2,)})}
    chosen = pairwise(space)
    assert len(chosen) <= 8
    met = {pair for params in chosen for pair in itertools.combinations(sorted(params.items()), 2)}
    for (one, left), (other, right) in itertools.combinations([("a", (1, 2)), ("b", ("x", "y")), ("c", (0.0, 1.0))], 2):
        assert {((one, i), (other, j)) for i in left for j in right} <= met
    assert {params.get("d") for params in chosen} == {None, 3, 9}
    assert pairwise(space) == chosen
    assert pairwise({}) == [{}]


def test_pairwise_keeps_to_its_limit() -> None:
    assert len(pairwise({name: Choice(*range(5)) for name in "abcd"}, limit=8)) == 8

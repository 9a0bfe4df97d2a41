"""A trial that is left between two steps goes on as if it had never stopped."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from fersearch_architectures.cnn import Cnn
from fersearch_architectures.resnet import ResNet18

from fersearch.components import trained_task
from fersearch.data.arrays import Loaded
from fersearch.registry import Registry
from fersearch.study import Protocol
from fersearch.training.attempt import run_trial
from fersearch.training.freezing import freeze
from fersearch.training.resume import Progress
from fersearch.training.snapshots import States
from fersearch.trial import Decision, Epoch, Reason
from tests.training.test_loop import quality, start

Make = Callable[..., Loaded]


class After:
    """A pulse that says to leave at the so-manieth call and at every later one."""

    def __init__(self, calls: int) -> None:
        self.calls = calls

    def __call__(self) -> bool:
        self.calls -= 1
        return self.calls <= 0


RECIPES: list[dict[str, Any]] = [
    {"scheduler": "onecycle", "warmup_share": 0.3},
    {"optimizer": "adamw", "learning_rate": 0.003, "scheduler": "cosine", "ema": 0.9, "clip_norm": 0.5},
    {"scheduler": "plateau", "plateau_factor": 0.5, "plateau_patience": 0, "warmup_epochs": 1.5, "sampling": "smote"},
    {"crop": 16, "sampling": "weighted", "early_stopping": 1},
]


@pytest.mark.parametrize("changed", RECIPES, ids=lambda changed: "-".join(map(str, changed.values())))
@pytest.mark.parametrize("steps", [3, 4])
def test_left_again_and_again_inside_epochs_it_ends_the_same(
    patterns: Make, base: dict[str, Any], tmp_path: Path, changed: dict[str, Any], steps: int
) -> None:
    loaded = patterns(48, soft=True, size=20 if "crop" in changed else 16)
    params = {**base, "epochs": 3, "augmentation": "strong", "dropout": 0.2, "target": "probability", **changed}
    whole_model, whole = start(loaded, params, tmp_path / "whole")
    expected = quality(list(whole))
    reported: list[Epoch] = []
    left = 0
    for _ in range(20):
        resume = Progress()
        torch.manual_seed(0)
        model = Cnn().build(params, trained_task(loaded.task, params))
        arguments = {"model": model, "resume": True, "progress": resume, "pulse": After(steps)}
        reported += list(start(loaded, params, tmp_path / "parts", **arguments)[1])
        if not resume.within:
            break
        left += 1
        assert States(tmp_path / "parts").last() is not None
    assert left > 0
    assert quality(reported) == expected
    for name, tensor in whole_model.state_dict().items():
        assert torch.equal(tensor, model.state_dict()[name]), name
    assert resume.seconds == pytest.approx(sum(epoch.seconds for epoch in reported))
    assert resume.looks > 0


def test_a_trial_that_is_killed_inside_an_epoch_goes_on_there(
    patterns: Make, base: dict[str, Any], tmp_path: Path
) -> None:
    loaded, params = patterns(48), {**base, "dropout": 0.3}
    expected = quality(list(start(loaded, params, tmp_path / "whole")[1]))
    pulses = 0

    def die() -> bool:
        nonlocal pulses
        pulses += 1
        if pulses == 10:  # in its second epoch: four steps and two batches of validation are one
            raise KeyboardInterrupt
        return False

    _, killed = start(loaded, params, tmp_path / "killed", save_every=0.0, pulse=die)
    with pytest.raises(KeyboardInterrupt):
        list(killed)
    state = States(tmp_path / "killed").last()
    assert state is not None
    assert (state["progress"]["epoch"], state["under_way"]["step"]) == (1, 3)
    _, resumed = start(loaded, params, tmp_path / "killed", resume=True)
    assert quality(list(resumed)) == expected[1:]


def test_a_trial_that_leaves_while_it_validates_has_every_step_of_its_epoch(
    patterns: Make, base: dict[str, Any], tmp_path: Path
) -> None:
    plateau = {"scheduler": "plateau", "plateau_factor": 0.5, "plateau_patience": 0}
    loaded, params = patterns(48), {**base, **plateau, "dropout": 0.3, "ema": 0.9}
    expected = quality(list(start(loaded, params, tmp_path / "whole")[1]))
    resume = Progress()
    arguments = {"pulse": After(10), "progress": resume}  # the second epoch's validation: four steps, then one batch
    assert quality(list(start(loaded, params, tmp_path / "left", **arguments)[1])) == expected[:1]
    state = States(tmp_path / "left").last()
    assert state is not None
    assert (resume.epoch, resume.within, state["under_way"]["step"]) == (1, True, 4)
    assert quality(list(start(loaded, params, tmp_path / "left", resume=True)[1])) == expected[1:]


def test_a_trial_that_leaves_before_its_first_step_was_interrupted(
    request_of: Callable[..., Any], registry: Registry
) -> None:
    request = request_of({"epochs": 2, "freeze": "all_but_last", "frozen_batch_norm": "fixed"}, architecture="resnet18")
    left = run_trial(request, lambda _: Decision.CONTINUE, registry, pulse=After(1))
    assert (left.reason, left.message) == (Reason.INTERRUPTED, "saved after epoch 0")


def test_what_was_drawn_by_others_in_between_does_not_matter(
    patterns: Make, base: dict[str, Any], tmp_path: Path
) -> None:
    loaded, params = patterns(48), {**base, "dropout": 0.5, "epochs": 1}
    expected = quality(list(start(loaded, params, tmp_path / "whole")[1]))
    assert list(start(loaded, params, tmp_path / "parts", pulse=After(2))[1]) == []
    model = Cnn().build(params, loaded.task)
    torch.manual_seed(12345)
    torch.rand(7)
    assert quality(list(start(loaded, params, tmp_path / "parts", resume=True, model=model)[1])) == expected


def test_features_of_a_frozen_prefix_are_computed_anew_and_nothing_changes(
    patterns: Make, base: dict[str, Any], tmp_path: Path
) -> None:
    params = {**base, "freeze": "all_but_last", "frozen_batch_norm": "fixed", "epochs": 3}
    loaded = patterns(48)
    result = []
    for name, calls in (("whole", [10**6]), ("parts", [3, 9, 10**6])):
        reported: list[Epoch] = []
        for place, count in enumerate(calls):
            torch.manual_seed(0)
            model = ResNet18().build(params, loaded.task)
            fixed = freeze(ResNet18(), model, params)
            options = {"model": model, "fixed": fixed, "resume": place > 0, "pulse": After(count)}
            reported += list(start(loaded, params, tmp_path / name, **options)[1])
        result.append(quality(reported))
    assert len(result[0]) == 3
    assert result[0] == result[1]


@pytest.mark.parametrize("protocol", [Protocol(), Protocol("kfold", folds=2)], ids=["once", "folds"])
def test_an_attempt_that_leaves_is_interrupted_and_the_next_ends_the_trial(
    request_of: Callable[..., Any], registry: Registry, protocol: Protocol
) -> None:
    def collect(epoch: Epoch) -> Decision:
        reported.append(epoch)
        return Decision.CONTINUE

    reported: list[Epoch] = []
    whole = run_trial(request_of({"epochs": 2}, protocol=protocol), collect, registry)
    assert whole.reason is Reason.DONE
    expected, reported = reported, []
    scratch = request_of().scratch + "-parts"
    reasons = []
    for attempt in range(1, 9):
        request = request_of({"epochs": 2}, protocol=protocol, scratch=scratch, attempt=attempt, recorded=len(reported))
        outcome = run_trial(request, collect, registry, pulse=After(5))
        reasons.append(outcome.reason)
        if outcome.reason is Reason.DONE:
            break
        assert outcome.message == f"saved inside epoch {len(reported) + 1}"
        assert outcome.checkpoint is None
    assert reasons == [Reason.INTERRUPTED] * (len(reasons) - 1) + [Reason.DONE]
    assert len(reasons) > 1
    for one, other in zip(expected, reported, strict=True):
        assert (one.number, one.round, one.last, one.confusion) == (
            other.number,
            other.round,
            other.last,
            other.confusion,
        )
        assert one.values["train_loss"] == other.values["train_loss"]
    assert outcome.kept_epoch == whole.kept_epoch


def test_saving_that_takes_long_is_done_less_often(patterns: Make, base: dict[str, Any], tmp_path: Path) -> None:
    from fersearch.training.resume import Snapshots

    snapshots = Snapshots(States(tmp_path), None, Progress(), save_every=30.0, cost=0.1)  # type: ignore[arg-type]
    assert (snapshots.due(29.9), snapshots.due(30.0)) == (False, True)
    snapshots.cost = 4.5
    assert (snapshots.due(89.9), snapshots.due(90.0)) == (False, True)


def test_the_first_state_is_due_once_more_than_a_second_was_trained(tmp_path: Path) -> None:
    from fersearch.training.resume import Snapshots

    snapshots = Snapshots(States(tmp_path), None, Progress(), save_every=30.0)  # type: ignore[arg-type]
    assert [snapshots.due(passed) for passed in (0.9, 1.0, 1.01, 9.0)] == [False, False, True, True]
    resumed = Snapshots(States(tmp_path), None, Progress(), save_every=30.0, saved_at=70.0)  # type: ignore[arg-type]
    assert [resumed.due(passed) for passed in (70.0, 71.0, 71.1)] == [False, False, True]


def test_every_attempt_saves_at_the_end_of_its_first_step_after_a_second(
    patterns: Make, base: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each step counts as 0.4 s of training: the third is the first that ends later than one second."""
    from fersearch.training import resume

    steps = 0
    saved: list[int] = []

    def count() -> bool:
        nonlocal steps
        steps += 1
        return False

    monkeypatch.setattr(resume.measure.Clock, "passed", property(lambda _: 0.4 * steps))
    params = base | {"epochs": 2}
    list(start(patterns(48), params, tmp_path, pulse=count, on_snapshot=lambda: saved.append(steps))[1])
    assert saved == [3]
    steps = 0
    list(start(patterns(48), params, tmp_path, resume=True, pulse=count, on_snapshot=lambda: saved.append(steps))[1])
    assert len(saved) == 2

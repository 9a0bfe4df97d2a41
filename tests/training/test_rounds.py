"""A trial under folds or repeats: every round trained, reported and resumed, and the best weights stored."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fersearch.artifacts import Artifacts
from fersearch.registry import Registry
from fersearch.study import Protocol
from fersearch.training.attempt import run_trial
from fersearch.training.checkpoint import read_checkpoint
from fersearch.trial import Decision, Epoch, Outcome, Reason

TIMED = ("train_seconds", "peak_memory_mb")
FOLDS = Protocol("kfold", folds=3)


def plain(epoch: Epoch) -> dict[str, Any]:
    """An epoch without what a clock or the machine decides."""
    values = {name: value for name, value in epoch.values.items() if name not in TIMED}
    return {"number": epoch.number, "round": epoch.round, "last": epoch.last, "values": values}


class Driver:
    """Hears epochs and answers each with the next decision, CONTINUE when there is none."""

    def __init__(self, decisions: dict[int, Decision] | None = None) -> None:
        self.decisions = decisions or {}
        self.epochs: list[Epoch] = []

    def __call__(self, epoch: Epoch) -> Decision:
        self.epochs.append(epoch)
        return self.decisions.get(epoch.number, Decision.CONTINUE)

    @property
    def reported(self) -> list[dict[str, Any]]:
        return [plain(epoch) for epoch in self.epochs]


@pytest.fixture
def run(request_of: Callable[..., Any], registry: Registry) -> Callable[..., tuple[Driver, Outcome]]:
    def go(
        decisions: dict[int, Decision] | None = None, changed: dict[str, Any] | None = None, **fields: Any
    ) -> tuple[Driver, Outcome]:
        driver = Driver(decisions)
        request = request_of({"epochs": 2, **(changed or {})}, **{"protocol": FOLDS, **fields})
        return driver, run_trial(request, driver, registry)

    return go


def test_every_fold_is_trained_and_numbered_through(run: Callable[..., Any], tmp_path: Path) -> None:
    driver, outcome = run()
    assert outcome.reason is Reason.DONE
    assert [(e.number, e.round, e.last) for e in driver.epochs] == [
        (1, 1, False), (2, 1, True), (3, 2, False), (4, 2, True), (5, 3, False), (6, 3, True),
    ]  # fmt: skip
    best = max(driver.epochs, key=lambda epoch: (epoch.values["f1_macro"], -epoch.number))
    assert outcome.kept_epoch == best.number
    card, _ = read_checkpoint(Artifacts(tmp_path / "artifacts").open(outcome.checkpoint or ""))
    assert (card["epoch"], card["round"]) == (best.number, best.round)
    assert card["metrics"]["f1_macro"] == best.values["f1_macro"]


def test_each_validation_image_counts_once_over_all_folds(run: Callable[..., Any]) -> None:
    driver, _ = run()
    judged = [sum(map(sum, epoch.confusion)) for epoch in driver.epochs if epoch.last]
    assert sum(judged) == 48


def test_repeats_judge_on_one_split_with_different_seeds(run: Callable[..., Any]) -> None:
    driver, _ = run(protocol=Protocol(repeats=2))
    first, second = (epoch for epoch in driver.epochs if epoch.last)
    assert sum(map(sum, first.confusion)) == sum(map(sum, second.confusion)) == 16
    assert first.values["train_loss"] != second.values["train_loss"]


def test_the_first_repeat_is_the_trial_without_repeats(run: Callable[..., Any], tmp_path: Path) -> None:
    once, _ = run(protocol=Protocol(), scratch=str(tmp_path / "other"))
    twice, _ = run(protocol=Protocol(repeats=2))
    assert [item["values"] for item in once.reported] == [item["values"] for item in twice.reported[:2]]


@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_interrupted_and_resumed_tells_what_an_undisturbed_trial_tells(
    run: Callable[..., Any], at: int, tmp_path: Path
) -> None:
    whole, ended = run(scratch=str(tmp_path / "other"))
    first, outcome = run({at: Decision.INTERRUPT})
    assert outcome.reason is Reason.INTERRUPTED
    assert outcome.message == f"saved after epoch {at}"
    second, resumed = run(recorded=len(first.epochs))
    assert first.reported + second.reported == whole.reported
    assert resumed.kept_epoch == ended.kept_epoch


def test_unreported_epochs_are_reported_again_from_every_round(run: Callable[..., Any]) -> None:
    first, _ = run({3: Decision.INTERRUPT})
    second, _ = run(recorded=1)
    assert second.reported[:2] == first.reported[1:3]
    assert [epoch.number for epoch in second.epochs] == [2, 3, 4, 5, 6]


def test_a_trial_stopped_between_rounds_keeps_the_best_so_far(run: Callable[..., Any]) -> None:
    driver, outcome = run({4: Decision.STOP})
    assert outcome.reason is Reason.PRUNED
    assert len(driver.epochs) == 4
    assert outcome.kept_epoch in (1, 2, 3, 4)
    assert outcome.checkpoint


def test_only_the_best_round_keeps_its_weights_on_the_way(run: Callable[..., Any], tmp_path: Path) -> None:
    run({5: Decision.INTERRUPT}, protocol=FOLDS)
    scratch = tmp_path / "scratch"
    over = [scratch / f"round-{number}" for number in (1, 2)]
    assert [len(list(folder.glob("*.pt"))) for folder in over].count(1) == 1
    assert all(json.loads((folder / "done.json").read_text())["epoch"] == 2 for folder in over)


def test_training_stops_early_when_nothing_gets_better(run: Callable[..., Any], tmp_path: Path) -> None:
    still = {"epochs": 9, "early_stopping": 2, "learning_rate": 1e-7, "momentum": 0.0, "nesterov": False}
    still |= {"batch_norm": False}
    driver, outcome = run(changed=still, protocol=Protocol(), scratch=str(tmp_path / "still"))
    assert outcome.reason is Reason.DONE
    assert [epoch.last for epoch in driver.epochs] == [False, False, True]
    assert outcome.kept_epoch == 1


def test_each_epoch_is_a_line_of_the_log(run: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "fersearch.training"):
        driver, outcome = run(protocol=Protocol(repeats=2))
    lines = [record.message for record in caplog.records]
    assert len(lines) == len(driver.epochs) == 4
    first = driver.epochs[0]
    assert lines[0].startswith(f"round 1/2, epoch 1 of 4: train loss {first.values['train_loss']:.4f}, accuracy ")
    assert lines[0].endswith(" s; the best so far: saving its weights")
    assert lines[(outcome.kept_epoch or 0) - 1].endswith("saving its weights")

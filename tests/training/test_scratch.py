"""A trial goes on from its own states alone: any other, damaged or foreign, makes it begin again, and it says so."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from fersearch.locks import beside, try_lock
from fersearch.owners import Owner, owner_of
from fersearch.registry import Registry
from fersearch.study import Protocol
from fersearch.training import scratch
from fersearch.training.attempt import run_trial
from fersearch.training.request import TrialRequest
from fersearch.trial import Decision, Epoch, Outcome, Reason

RequestOf = Callable[..., TrialRequest]
FOLDS = Protocol("kfold", folds=3)
TIMED = ("train_seconds", "peak_memory_mb")


def go(
    request: TrialRequest, registry: Registry, stop: int = 0
) -> tuple[Outcome, list[tuple[int, dict[str, float]]], list[str]]:
    """Run a trial, interrupted after epoch `stop`: its outcome, its epochs without clocks, and its notes."""
    epochs: list[Epoch] = []
    notes: list[str] = []

    def report(epoch: Epoch) -> Decision:
        epochs.append(epoch)
        return Decision.INTERRUPT if epoch.number == stop else Decision.CONTINUE

    outcome = run_trial(request, report, registry, notify=notes.append)
    values = [(epoch.number, {k: v for k, v in epoch.values.items() if k not in TIMED}) for epoch in epochs]
    return outcome, values, notes


def corrupt(name: str) -> Callable[[Path], None]:
    return lambda folder: next(folder.glob(name)).write_bytes(b"\x80\x02rot")


def earlier(folder: Path) -> None:
    """Turn the last state into one of the version before, which had no stamp."""
    state = torch.load(folder / "last.pt", weights_only=True)
    del state["stamp"]
    torch.save(state, folder / "last.pt")


def shrunk(folder: Path) -> None:
    """Turn the last state into one of another network, as when a plugin's code was changed."""
    state = torch.load(folder / "last.pt", weights_only=True)
    state["model"] = {name: torch.zeros(1) for name in state["model"]}
    torch.save(state, folder / "last.pt")


@pytest.mark.parametrize(
    ("hurt", "message"),
    [
        (corrupt("last.pt"), "last.pt is damaged"),
        (corrupt("best-*.pt"), ".pt is damaged"),
        (lambda folder: next(folder.glob("best-*.pt")).unlink(), ".pt is missing"),
        (lambda folder: (folder / "last.pt").unlink(), "no state of it is kept in {scratch}"),
        (earlier, "last.pt was saved by an earlier version of fersearch"),
        (shrunk, "{scratch} holds the state of another network"),
    ],
    ids=["last", "best", "best gone", "gone", "earlier version", "another network"],
)
def test_an_unusable_state_is_reported_once(
    request_of: RequestOf, registry: Registry, hurt: Callable[[Path], None], message: str
) -> None:
    _, whole, _ = go(request_of(scratch=request_of().scratch + "-whole"), registry)
    first = request_of()
    assert go(first, registry, stop=2)[0].reason is Reason.INTERRUPTED
    hurt(Path(first.scratch))
    outcome, epochs, notes = go(request_of(attempt=2, recorded=2, recorded_by_attempt=(2,)), registry)
    assert outcome.reason is Reason.DONE
    assert outcome.facts["resumed_from"] == 0
    assert epochs == whole
    assert len(notes) == 1
    assert notes[0].startswith("it began again: ")
    assert notes[0].endswith(message.format(scratch=first.scratch))
    assert outcome.message == notes[0]


@pytest.mark.parametrize(
    ("changed", "fields", "message"),
    [
        ({}, {"study_uid": "1" * 32}, "last.pt is of another study"),
        ({}, {"number": 8}, "last.pt is of another trial"),
        ({"learning_rate": 0.04}, {}, "last.pt is of other parameters"),
        ({}, {"seed": 6}, "last.pt is of another seed"),
        ({}, {"data_digest": "d" * 64}, "last.pt is of other data"),
        (
            {"weight_decay": 0.1},
            {"number": 8, "seed": 6},
            "of another trial and of other parameters and of another seed",
        ),
    ],
    ids=["study", "trial", "params", "seed", "data", "several"],
)
def test_a_state_that_does_not_agree_is_a_miss(
    request_of: RequestOf, registry: Registry, changed: dict[str, Any], fields: dict[str, Any], message: str
) -> None:
    _, alone, _ = go(request_of(changed, **fields, scratch=request_of().scratch + "-alone"), registry)
    go(request_of(), registry, stop=2)
    outcome, epochs, notes = go(request_of(changed, **fields), registry)
    assert (outcome.reason, outcome.facts["resumed_from"]) == (Reason.DONE, 0)
    assert epochs == alone
    assert len(notes) == 1
    assert notes[0].endswith(message)


@pytest.mark.parametrize("hurt", ["round-1/done.json", "best", "other study", "older"])
def test_a_round_that_is_over_is_used_only_if_it_is_the_trials_own(
    request_of: RequestOf, registry: Registry, hurt: str
) -> None:
    options: dict[str, Any] = {"protocol": FOLDS}
    _, whole, _ = go(request_of({"epochs": 2}, **options, scratch=request_of().scratch + "-whole"), registry)
    first = request_of({"epochs": 2}, **options)
    go(first, registry, stop=3)
    folder = Path(first.scratch)
    done = folder / "round-1" / "done.json"
    if hurt == "best":
        corrupt("round-1/best-*.pt")(folder)
    elif hurt == "older":
        done.write_text(json.dumps({k: v for k, v in json.loads(done.read_text()).items() if k != "stamp"}))
    elif hurt == "other study":
        options["study_uid"] = "1" * 32
    else:
        done.write_text('{"epoch": 2, ')
    request = request_of({"epochs": 2}, **options, attempt=2, recorded=3, recorded_by_attempt=(3,))
    outcome, epochs, notes = go(request, registry)
    assert outcome.reason is Reason.DONE
    assert epochs == whole
    assert len(notes) == 1


@pytest.mark.parametrize("hurt", ["damaged", "of another study"])
def test_a_state_at_a_url_of_no_use_is_a_miss_and_is_replaced(
    request_of: RequestOf, registry: Registry, tmp_path: Path, hurt: str
) -> None:
    far = tmp_path / "far"
    _, whole, _ = go(request_of(scratch=request_of().scratch + "-whole"), registry)
    uid = "1" * 32 if hurt == "of another study" else "0" * 32
    go(request_of(states=far.as_uri(), study_uid=uid), registry, stop=2)
    if hurt == "damaged":
        (far / "last.pt").write_bytes(b"rot")
    node = str(tmp_path / "another-node")
    second = request_of(states=far.as_uri(), scratch=node, attempt=2, recorded=2, recorded_by_attempt=(2,))
    _, epochs, notes = go(second, registry, stop=3)
    assert notes == [f"it began again: {node}/last.pt is {hurt}"]
    third = request_of(states=far.as_uri(), scratch=node + "-2", attempt=3, recorded=3, recorded_by_attempt=(2, 3))
    outcome, rest, notes = go(third, registry)
    assert (outcome.facts["resumed_from"], notes) == (3, [])
    assert epochs + rest == whole


def test_a_state_that_agrees_is_gone_on_from_in_silence(request_of: RequestOf, registry: Registry) -> None:
    _, whole, _ = go(request_of(scratch=request_of().scratch + "-whole"), registry)
    _, first, _ = go(request_of(), registry, stop=2)
    outcome, second, notes = go(request_of(attempt=2, recorded=2, recorded_by_attempt=(2,)), registry)
    assert (outcome.message, notes) == ("", [])
    assert outcome.facts["resumed_from"] == 2
    assert first + second == whole


def test_epochs_of_a_discarded_training_do_not_count_as_recorded(request_of: RequestOf, registry: Registry) -> None:
    """An attempt begins again, and dies after its state was saved and before its epochs were reported."""
    go(request_of(), registry, stop=3)
    corrupt("last.pt")(Path(request_of().scratch))
    _, lost, _ = go(request_of(attempt=2, recorded=3, recorded_by_attempt=(3,)), registry, stop=2)
    assert [number for number, _ in lost] == [1, 2]
    outcome, epochs, notes = go(request_of(attempt=3, recorded=3, recorded_by_attempt=(3, 0)), registry)
    assert outcome.reason is Reason.DONE
    assert [number for number, _ in epochs] == [1, 2, 3, 4]
    assert epochs[:2] == lost
    assert notes == []


@pytest.mark.parametrize(
    ("by_attempt", "since", "known"),
    [((), 1, 9), ((4,), 1, 4), ((4, 0), 1, 4), ((4, 3), 1, 3), ((4, 3), 2, 3), ((4, 0), 2, 0), ((4,), 2, 0)],
)
def test_what_is_known_of_training(request_of: RequestOf, by_attempt: tuple[int, ...], since: int, known: int) -> None:
    assert request_of(recorded=9, recorded_by_attempt=by_attempt).recorded_since(since) == known


def test_best_weights_that_are_lost_at_the_end_are_no_fault_of_the_trial(
    request_of: RequestOf, registry: Registry
) -> None:
    request = request_of()

    def report(epoch: Epoch) -> Decision:
        if epoch.number == 4:
            for path in Path(request.scratch).glob("best-*.pt"):
                path.write_bytes(b"rot")
        return Decision.CONTINUE

    outcome = run_trial(request, report, registry)
    assert (outcome.reason, outcome.checkpoint, outcome.facts["lost"]) == (Reason.INTERRUPTED, None, "disk")
    assert outcome.message.startswith("its best weights were lost, and it begins again: ")
    again, epochs, _ = go(replace(request, attempt=2, recorded=4, recorded_by_attempt=(4,)), registry)
    assert again.reason is Reason.DONE
    assert again.checkpoint
    assert [number for number, _ in epochs] == [1, 2, 3, 4]


def test_a_folder_in_which_another_process_works_is_not_shared(
    request_of: RequestOf, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scratch, "PATIENCE", 0.0)
    request = request_of()
    _, whole, _ = go(request, registry)
    folder = Path(request.scratch)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with try_lock(beside(folder)) or pytest.fail("nobody holds it any more"):
        outcome, epochs, notes = go(request, registry)
    assert outcome.reason is Reason.DONE
    assert outcome.checkpoint
    assert epochs == whole
    assert notes == [
        f"another process uses {folder}, for example because a database was copied and both are run: this attempt "
        "starts again and keeps its states elsewhere"
    ]
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert sorted(path.name for path in folder.parent.glob("scratch*")) == ["scratch"]


def test_an_attempt_apart_whose_state_goes_does_not_say_that_it_was_saved(
    request_of: RequestOf, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scratch, "PATIENCE", 0.0)
    request = request_of()
    with try_lock(beside(Path(request.scratch))) or pytest.fail("it is free"):
        outcome, _, notes = go(request, registry, stop=2)
    assert outcome.reason is Reason.INTERRUPTED
    assert outcome.message == f"its state could not be kept: the trial begins again; {notes[0]}"
    again, _, _ = go(request_of(attempt=2, recorded=2, recorded_by_attempt=(2,)), registry)
    assert (again.reason, again.facts["resumed_from"]) == (Reason.DONE, 0)


def test_states_in_a_separate_folder_are_resumed_once_the_other_process_has_left(
    request_of: RequestOf, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scratch, "PATIENCE", 0.0)
    _, whole, _ = go(request_of(scratch=request_of().scratch + "-whole"), registry)
    request, epochs = request_of(), []
    other = try_lock(beside(Path(request.scratch))) or pytest.fail("it is free")

    def report(epoch: Epoch) -> Decision:
        epochs.append(epoch)
        if epoch.number < 2:
            return Decision.CONTINUE
        other.release()
        return Decision.INTERRUPT

    first = run_trial(request, report, registry)
    assert first.reason is Reason.INTERRUPTED
    assert first.message.startswith("saved after epoch 2; another process uses ")
    outcome, rest, notes = go(request_of(attempt=2, recorded=2, recorded_by_attempt=(2,)), registry)
    assert (outcome.facts["resumed_from"], notes) == (2, [])
    assert [epoch.values["train_loss"] for epoch in epochs] + [values["train_loss"] for _, values in rest] == [
        values["train_loss"] for _, values in whole
    ]


def test_a_process_that_waits_for_its_folder_sends_heartbeats_and_exits_on_request(
    request_of: RequestOf, registry: Registry
) -> None:
    request = request_of()
    beats: list[int] = []
    with try_lock(beside(Path(request.scratch))) or pytest.fail("it is free"):
        outcome = run_trial(request, lambda _: Decision.CONTINUE, registry, pulse=lambda: beats.append(1) or True)
    assert (outcome.reason, outcome.message, beats) == (Reason.INTERRUPTED, "stopped before it began", [1])


def test_an_attempt_marks_whose_its_files_are(request_of: RequestOf, registry: Registry) -> None:
    from fersearch.artifacts import Artifacts

    request = request_of(database="d" * 32, scratch=str(Path(request_of().scratch) / "7"))
    outcome, _, _ = go(request, registry)
    owner = Owner("d" * 32, request.study_uid)
    assert owner_of(Path(request.scratch).parent) == owner
    assert Artifacts(request.artifacts).owners() == {outcome.checkpoint: {owner}}

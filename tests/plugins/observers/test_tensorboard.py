"""TensorBoard's observer: the contract, and what stands in the event files."""

from dataclasses import replace
from importlib import util
from pathlib import Path
from typing import Any

import pytest
from fersearch_observers import tensorboard
from fersearch_observers.tensorboard import TensorBoard

from fersearch.errors import FersearchError
from fersearch.study import StudyState
from fersearch.testing import ObserverSuite
from fersearch.testing.observers import PARAMS, ended, epoch, observed, started, whole_trial
from fersearch.trial import Attempt, Reason, TrialState


class TestTensorBoard(ObserverSuite):
    observer = TensorBoard()


def events(folder: Path) -> list[Any]:
    """The events of a trial's run, file after file."""
    from tensorboardX.event_file_writer import event_pb2

    result = []
    for path in sorted(folder.iterdir()):
        data, at = path.read_bytes(), 0
        while at < len(data):  # TFRecord: a length of 8 bytes, its checksum of 4, the record, its checksum of 4
            length = int.from_bytes(data[at : at + 8], "little")
            result.append(event_pb2.Event.FromString(data[at + 12 : at + 12 + length]))
            at += 16 + length
    return result


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    result: dict[str, list[tuple[int, float]]] = {}
    for event in events(folder):
        for value in event.summary.value:
            if value.WhichOneof("value") == "simple_value":
                result.setdefault(value.tag, []).append((event.step, round(value.simple_value, 4)))
    return result


@pytest.fixture
def board(tmp_path: Path) -> TensorBoard:
    board = TensorBoard()
    board.study_started(observed("grid/cnn"), {"folder": str(tmp_path)})
    return board


def folder(board: TensorBoard, number: int = 0) -> Path:
    return board.folder / f"trial-{number}"


def test_every_trial_is_a_run_with_its_metrics_by_epoch_and_its_values(board: TensorBoard, tmp_path: Path) -> None:
    whole_trial(board, 0)
    whole_trial(board, 3)
    assert board.folder == tmp_path / "grid-cnn-00000000"
    assert sorted(path.name for path in board.folder.iterdir()) == ["trial-0", "trial-3"]
    assert scalars(folder(board)) == {
        "f1_macro": [(1, 0.1), (2, 0.2)],
        "valid_loss": [(1, 1.0), (2, 0.5)],
        "train_seconds": [(1, 2.0), (2, 4.0)],
        "trial/f1_macro": [(2, 0.2)],
        "trial/train_seconds": [(2, 4.0)],
    }


def test_the_parameters_are_there_for_the_tab_of_hyperparameters(board: TensorBoard) -> None:
    from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData

    whole_trial(board, 0)
    result = {}
    for event in events(folder(board)):
        for value in event.summary.value:
            if value.metadata.plugin_data.plugin_name == "hparams":
                result[value.tag] = HParamsPluginData.FromString(value.metadata.plugin_data.content)
    params = result["_hparams_/session_start_info"].session_start_info.hparams
    assert {name: getattr(one, one.WhichOneof("kind")) for name, one in params.items()} == PARAMS
    metrics = result["_hparams_/experiment"].experiment.metric_infos
    assert [metric.name.tag for metric in metrics] == ["trial/f1_macro", "trial/train_seconds"]
    assert "_hparams_/session_end_info" in result


def test_a_trial_that_goes_on_says_from_which_epoch(board: TensorBoard) -> None:
    board.trial_started(started(0))
    board.epoch_ended(started(0), epoch(1))
    board.epoch_ended(started(0), epoch(2))
    board.trial_ended(replace(ended(0, Reason.INTERRUPTED, TrialState.WAITING), values={}))
    again = replace(started(0), epochs=1, attempts=(Attempt(1, Reason.INTERRUPTED), Attempt(2)))
    board.trial_started(again)
    board.epoch_ended(again, epoch(2))
    board.study_ended(StudyState.STOPPED)
    restarts = [event.step for event in events(folder(board)) if event.HasField("session_log")]
    assert 2 in restarts
    assert scalars(folder(board))["f1_macro"] == [(1, 0.1), (2, 0.2), (2, 0.2)]


def test_by_default_the_runs_are_in_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FERSEARCH_HOME", str(tmp_path))
    board = TensorBoard()
    board.study_started(observed("cnn"), {})
    assert board.folder.parent == tmp_path / "tensorboard"


def test_without_its_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensorboard, "find_spec", lambda name: None if name == "tensorboardX" else util.find_spec(name))
    with pytest.raises(FersearchError) as refused:
        TensorBoard().check({})
    assert refused.value.message == "observer 'tensorboard' needs tensorboardX"
    assert refused.value.hint == "install it: pip install tensorboardX"

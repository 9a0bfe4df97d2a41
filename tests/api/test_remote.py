"""The verbs talk to a service and return what they return on this machine; what it lacks is refused, not done here."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from fersearch import api
from fersearch.api import records
from fersearch.api.remote.connection import Connection
from fersearch.api.remote.request import body_of
from fersearch.artifacts import file_digest
from fersearch.checkpoint_folder import WEIGHTS, folder_card
from fersearch.cli import run
from fersearch.errors import (
    FersearchError,
    NameTaken,
    StoreUnavailable,
    StudyBusy,
    StudyFileError,
    UnknownName,
    UsageError,
)
from fersearch.run_options import RunOptions
from tests.drawn_face import photograph
from tests.evaluation.test_finished import FINISH
from tests.service.served import Served, kill_all, wait_for

URL = "http://127.0.0.1"


@pytest.fixture(scope="module")
def served(small_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service in a process of its own, on a copy of the home that has the finished study `small`."""
    home = shutil.copytree(small_home, tmp_path_factory.mktemp("served") / "home")
    yield Served(home)
    kill_all(home)


@pytest.fixture
def remote(served: Served, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the verbs talk to the service, and work on its home where they do not."""
    monkeypatch.setenv("FERSEARCH_HOME", str(served.log.parent))
    api.connect(served.address, served.token)
    yield
    api.disconnect()


def here(verb: str, *arguments: object, **options: object) -> object:
    """Return what a verb gives on this machine."""
    from fersearch.api.connecting import _connected

    connections = list(_connected)
    _connected.clear()
    try:
        return getattr(api, verb)(*arguments, **options)
    finally:
        _connected[:] = connections


def test_remote_lists_and_fronts_equal_local_ones(remote: None):
    assert [one for one in api.list_studies() if one.name == "small"] == [
        one for one in here("list_studies") if one.name == "small"
    ]
    theirs, own = api.show_study("small"), here("show_study", "small")
    assert (theirs.spec, theirs.counts, theirs.state, theirs.data) == (own.spec, own.counts, own.state, own.data)
    assert [(t.number, t.params, t.values) for t in api.list_trials("small")] == [
        (t.number, t.params, t.values) for t in here("list_trials", "small")
    ]
    assert [one.number for one in api.front("small").trials] == [one.number for one in here("front", "small").trials]


def test_the_bounds_of_a_study_hold_for_its_front_there_too(remote: None):
    options = {"train": "60", "valid": "30", "test": "30"}
    here("create_study", "cnn", "faces", name="bounded", where=["f1_macro>=0.1"], dataset_options=options)
    assert api.front("bounded").constraints == here("front", "bounded").constraints
    assert list(map(str, api.front("bounded").constraints)) == ["f1_macro>=0.1"]


def test_a_change_that_makes_no_sense_is_refused_and_not_left_out(remote: None):
    with pytest.raises(FersearchError):
        api.extend_study("small", trials=0, settings={"learning_rate": "0.001..0.2"})
    assert here("show_study", "small").spec.changes == ()

    assert api.list_checkpoints("small") == here("list_checkpoints", "small")
    view = api.show_trial("small", 1)
    assert [epoch.values for epoch in view.history] == [
        epoch.values for epoch in here("show_trial", "small", 1).history
    ]
    assert api.explain_trial("small", 3) == here("explain_trial", "small", 3)
    assert api.importance("small") == here("importance", "small")


def test_a_checkpoint_is_pulled_as_on_the_machine_itself(remote: None, tmp_path: Path):
    pulled = api.pull_checkpoint("small", out=tmp_path / "remote")
    own = here("pull_checkpoint", "small", out=tmp_path / "own")
    assert pulled.trial == own.trial
    names = sorted(path.name for path in own.path.iterdir())
    assert sorted(path.name for path in pulled.path.iterdir()) == names
    assert (pulled.path / "model.safetensors").read_bytes() == (own.path / "model.safetensors").read_bytes()
    cards = [(path / "card.json").read_text().replace("remote", "own") for path in (pulled.path, own.path)]
    assert cards[0] == cards[1]


def test_a_study_is_created_queued_paused_and_deleted_there(remote: None):
    spec = api.create_study("cnn", "faces", name="sent", trials=3, epochs="2", settings={"optimizer": "adam"})
    assert (spec.name, spec.budget.trials) == ("sent", 3)
    enqueued = api.enqueue_trial("sent", {"learning_rate": 0.01})
    assert (enqueued.given, enqueued.needed, enqueued.trials) == ({"learning_rate": 0.01}, 1, 3)
    assert [one.given for one in api.show_study("sent").enqueued] == [{"learning_rate": 0.01}]
    extended = api.extend_study("sent", timeout=900, stop_when_flat=9)
    assert [str(change) for change in extended.spec.changes] == [
        "timeout: nothing became 900 s",
        "stop_when_flat: nothing became 9",
    ]
    assert api.run_study("sent", RunOptions(trials=500)).state in ("queued", "running")
    assert api.place_in_queue("sent") == 1
    assert api.pause_study("sent")
    wait_for(lambda: api.show_study("sent").state == "paused")
    assert api.stop_study("sent")
    wait_for(deleted)
    with pytest.raises(UnknownName, match="unknown study 'sent'"):
        api.show_study("sent")


def deleted() -> bool:
    """Delete the study, once a driver that was about to begin has left."""
    try:
        api.delete_study("sent")
    except StudyBusy:
        return False
    return True


def test_remote_errors_equal_local_ones(remote: None):
    with pytest.raises(StudyFileError) as error:
        api.create_study("cnm", "faces", trials=3, sampler="random", seed=1, limit=5)
    assert sorted(line.partition(":")[0] for line in error.value.mistakes) == ["limit", "model"]
    with pytest.raises((NameTaken, StudyBusy)):
        api.create_study("cnn", "faces", name="small")
    with pytest.raises(UsageError, match="the service sets --slots"):
        api.run_study("small", slots=3)
    with pytest.raises(UsageError, match="--storage was given with --server"):
        api.list_studies("sqlite:///x.db")


def test_what_a_service_lacks_is_refused_and_not_done_here(remote: None):
    with pytest.raises(UsageError, match="a service does not offer 'prepare_dataset'"):
        api.prepare_dataset("faces")


def test_a_comparison_comes_from_a_child_of_the_service(remote: None):
    theirs, own = api.compare_studies(["small"]), here("compare_studies", ["small"])
    assert theirs.result.model_copy(update={"shown": None}) == records.Comparison.of(own.result, None)
    assert theirs.shown() == own.shown()


def test_what_removes_files_is_refused_with_where_to_do_it(remote: None):
    with pytest.raises(UsageError, match="a service does not offer 'checkpoint gc': it removes files") as error:
        api.collect_garbage()
    assert error.value.hint == "type it where the service runs: fersearch checkpoint gc"


@pytest.mark.slow
def test_a_trial_is_trained_again_in_a_slot_there_and_its_model_is_brought_here(remote: None, tmp_path: Path):
    epochs: list[int] = []
    folder = tmp_path / "again"
    done = api.rerun_trial("small", 1, device="cpu", out=folder, report=lambda epoch: epochs.append(epoch.number))
    assert (done.study, done.trial, done.equal, epochs) == ("small", 1, True, [1, 2])
    stored = {each.name: each.stored for each in done.metrics}
    assert stored["accuracy"] == api.show_trial("small", 1).trial.values["accuracy"]
    assert done.path == folder
    assert folder_card(folder)["values"]["accuracy"] == stored["accuracy"]
    assert folder_card(folder)["digest"] == file_digest(folder / WEIGHTS)
    with pytest.raises(UsageError, match="again exists"):
        api.rerun_trial("small", 1, out=folder)
    with pytest.raises(UsageError, match="device 'mps' is not one of the service's slots"):
        api.rerun_trial("small", 1, device="mps")
    with pytest.raises(StudyFileError, match="trial 1 cannot be trained again with this data"):
        api.rerun_trial("small", 1, data=tmp_path)
    with pytest.raises(UnknownName):
        api.rerun_trial("small", 99)


def test_a_finish_there_says_where_the_finalists_are_trained_and_then_what_came_of_it(remote: None, monkeypatch):
    training = {"trained": "finish/small", "finish": None}
    answers, sent = [training, {"finish": records.plain(records.Finish.of(FINISH))}, training], []
    monkeypatch.setattr(Connection, "post", lambda _, __, body: sent.append(body) or answers.pop(0))
    with pytest.raises(FersearchError, match="are trained there, as study finish/small") as error:
        api.finish_study("small", finalists=1)
    assert error.value.hint == "once that is complete: fersearch study finish small"
    assert api.finish_study("small").line == FINISH.line
    with pytest.raises(FersearchError) as error:
        api.finish_study("small", unseen=["jaffe", "imagefolder=/my data"])
    assert error.value.hint.endswith("fersearch study finish small --unseen jaffe --unseen 'imagefolder=/my data'")
    assert sent[-1]["unseen"] == ["jaffe", "imagefolder=/my data"]


def test_a_command_of_this_machine_is_refused_with_a_server(monkeypatch, capsys):
    monkeypatch.setenv("FERSEARCH_SERVER", URL)
    assert run(["doctor"]) == 2
    assert "'doctor' works only on this machine, not with --server" in capsys.readouterr().err


def test_predicting_needs_files_alone_whatever_server_is_named(pulled, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FERSEARCH_SERVER", "http://127.0.0.1:1")
    photograph(64, (0, 60), height=64).save(tmp_path / "face.png")
    assert run(["predict", str(pulled), str(tmp_path / "face.png"), "--json"]) == 0


def test_a_service_that_does_not_answer_is_reported(monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise httpx.ConnectError("connection refused")

    monkeypatch.setattr(httpx.Client, "request", refuse)
    api.connect(URL)
    try:
        with pytest.raises(StoreUnavailable, match="does not answer: connection refused"):
            api.list_studies()
    finally:
        api.disconnect()


@pytest.mark.parametrize("url", ["lab", "ftp://lab", "http://"])
def test_what_is_no_address_is_refused(url: str):
    with pytest.raises(UsageError, match="is not the address of a service"):
        api.connect(url)


@pytest.mark.parametrize(
    ("flags", "file", "body"),
    [
        ({"model": "cnn", "dataset": "faces"}, None, {"model": "cnn", "dataset": {"name": "faces"}}),
        ({"settings": {"width": "1"}}, {"space": {"dropout": 0.1}}, {"space": {"dropout": 0.1, "width": "1"}}),
        ({"folds": 3}, None, {"protocol": {"folds": 3}}),
        ({"observe": ("mlflow",)}, None, {"observe": ["mlflow"]}),
        ({"dataset": "jaffe"}, {"dataset": {"name": "faces", "options": {"train": 9}}}, {"dataset": {"name": "jaffe"}}),
        ({"image_size": 64}, {"dataset": "faces"}, {"dataset": {"name": "faces", "options": {"image_size": 64}}}),
        ({"ratios": (0.6, 0.2, 0.2)}, {}, {"protocol": {"ratios": [0.6, 0.2, 0.2]}}),
    ],
)  # fmt: skip
def test_flags_go_over_a_file(flags, file, body):
    assert body_of(flags, file) == body

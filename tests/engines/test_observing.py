"""Observers receive everything, in order, and can neither break a run nor delay it."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from fersearch import api
from fersearch.engines import observer_thread
from fersearch.engines.observing import Observers, check_observers, find
from fersearch.errors import FersearchError, PluginError, UsageError
from fersearch.observer import Observer, StudyObserver
from fersearch.study import StudyState
from fersearch.testing.observers import ended, epoch, observed, started
from fersearch.trial import Decision
from tests.studies import create

PATIENT = 30.0
SIZES = {"train": "60", "valid": "40", "test": "40"}
SEEN = """
from pathlib import Path
from fersearch import StudyObserver, UsageError, hookimpl

class Seen(StudyObserver):
    name = "seen"
    options = {"file": "where the lines go", "fails": "the method that raises"}
    def check(self, options):
        if "file" not in options:
            raise UsageError("seen needs a file", "give --observe seen:file=FILE")
    def study_started(self, study, options):
        self.file, self.fails = Path(options["file"]), options.get("fails")
        self.write("study_started", study.name, len(study.uid), study.spec.architecture)
    def trial_started(self, trial):
        self.write("trial_started", trial.number, len(trial.attempts), trial.params["batch_size"])
    def epoch_ended(self, trial, epoch):
        self.write("epoch_ended", trial.number, epoch.number, "accuracy" in epoch.values)
    def trial_ended(self, trial):
        self.write("trial_ended", trial.number, trial.state.value, "accuracy" in trial.values)
    def study_ended(self, state):
        self.write("study_ended", state.value)
    def write(self, what, *facts):
        if what == self.fails:
            raise RuntimeError("no more")
        with self.file.open("a") as file:
            print(what, *facts, file=file)

@hookimpl
def register_observers(register):
    register(Seen())
"""


class Display(Observer):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


class Listener(StudyObserver):
    """Runs a function at each event."""

    name = "listener"

    def __init__(self, act: Callable[..., None]) -> None:
        self.act = act

    def __deepcopy__(self, _: Any) -> "Listener":
        return self

    def study_started(self, study: Any, options: Any) -> None:
        self.act("study_started", study.name, dict(options))

    def trial_started(self, trial: Any) -> None:
        self.act("trial_started", trial.number)

    def epoch_ended(self, trial: Any, epoch: Any) -> None:
        self.act("epoch_ended", trial.number, epoch.number)

    def trial_ended(self, trial: Any) -> None:
        self.act("trial_ended", trial.number, trial.state)

    def study_ended(self, state: Any) -> None:
        self.act("study_ended", state)


@pytest.fixture
def seen(tmp_path, monkeypatch):
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "seen.py").write_text(SEEN)
    monkeypatch.setenv("FERSEARCH_PLUGINS_DIR", str(tmp_path / "plugins"))
    return tmp_path / "seen.txt"


def observe(*listeners: StudyObserver) -> list[str]:
    """Report a study of one trial to observers; return the notes of the display."""
    display = Display()
    observers = Observers(display, [(listener, {"a": "b"}) for listener in listeners], PATIENT)
    observers.begin(observed(), 1, [], 1)
    observers.started(started(0), 0)
    for number in (1, 2):
        observers.epoch(started(0), epoch(number), Decision.CONTINUE)
        observers.tick()
    observers.ended(ended(0))
    observers.end()
    observers.state = StudyState.COMPLETE
    observers.close()
    return display.notes


def test_an_observer_is_reported_everything_in_order():
    calls: list[Any] = []
    assert observe(Listener(lambda *facts: calls.append(facts))) == []
    assert calls == [
        ("study_started", "study", {"a": "b"}),
        ("trial_started", 0),
        ("epoch_ended", 0, 1),
        ("epoch_ended", 0, 2),
        ("trial_ended", 0, "complete"),
        ("study_ended", "complete"),
    ]


def test_the_display_is_reported_everything_too():
    called: list[str] = []
    names = ("preparing", "begin", "started", "epoch", "ended", "note", "tick", "end")
    display = type("All", (Observer,), {name: lambda self, *_, name=name: called.append(name) for name in names})()
    observers = Observers(display, [])
    observers.preparing(1, 2)
    observers.begin(observed(), 1, [], 1)
    observers.started(started(0), 0)
    observers.epoch(started(0), epoch(1), Decision.CONTINUE)
    observers.ended(ended(0))
    observers.note("text")
    observers.tick()
    observers.end()
    assert tuple(called) == ("preparing", "begin", "started", "epoch", "ended", "note", "tick", "end")


@pytest.mark.parametrize("error", [ValueError("no\nmore"), SystemExit(3), FersearchError("no\nmore", "hint")])
def test_one_that_raises_is_reported_of_once_and_dropped_and_the_others_go_on(error):
    calls: list[str] = []
    others: list[str] = []

    def fail(what: str, *_: Any) -> None:
        calls.append(what)
        if what == "epoch_ended":
            raise error

    notes = observe(Listener(fail), Listener(lambda what, *_: others.append(what)))
    assert calls == ["study_started", "trial_started", "epoch_ended"]
    assert others[-1] == "study_ended"
    (note,) = notes
    assert note.startswith("observer 'listener' of plugin ")
    reason = {ValueError: "ValueError: no more", SystemExit: "SystemExit: 3", FersearchError: "no more"}[type(error)]
    assert note.endswith(f" failed in epoch_ended and receives no more events: {reason}")


def test_one_that_hangs_holds_nobody_up_and_what_it_misses_is_counted(monkeypatch):
    monkeypatch.setattr(observer_thread, "ROOM", 6)
    monkeypatch.setattr(observer_thread, "ROOM_FOR_EPOCHS", 4)
    freed, entered = threading.Event(), threading.Event()

    def hang(what: str, *_: Any) -> None:
        entered.set()
        freed.wait(PATIENT)

    display = Display()
    observers = Observers(display, [(Listener(hang), {})], patience=0.01)
    try:
        observers.begin(observed(), 1, [], 1)
        assert entered.wait(PATIENT)
        observers.started(started(0), 0)
        for number in range(1, 21):
            observers.epoch(started(0), epoch(number), Decision.CONTINUE)
        observers.ended(ended(0))
        observers.close()
    finally:
        freed.set()
    assert display.notes == [
        "observer 'listener' falls behind: some events are dropped",
        "observer 'listener' takes too long: it is abandoned with 5 events undelivered",
        "observer 'listener' missed 18 of 23 events: it was too slow",
    ]


def test_a_slow_one_that_catches_up_is_reported_of_the_ends(monkeypatch):
    monkeypatch.setattr(observer_thread, "ROOM_FOR_EPOCHS", 2)
    called: list[str] = []
    go = threading.Event()

    def wait(what: str, *_: Any) -> None:
        go.wait(PATIENT)
        called.append(what)

    display = Display()
    observers = Observers(display, [(Listener(wait), {})], PATIENT)
    observers.begin(observed(), 1, [], 1)
    observers.started(started(0), 0)
    for number in range(1, 9):
        observers.epoch(started(0), epoch(number), Decision.CONTINUE)
    observers.ended(ended(0))
    go.set()
    observers.close()
    assert called.count("epoch_ended") < 8
    assert called[-2:] == ["trial_ended", "study_ended"]
    assert display.notes[-1].endswith(f"{8 - called.count('epoch_ended')} of 11 events: it was too slow")


def test_one_of_a_run_that_never_began_is_reported_nothing():
    calls: list[Any] = []
    display = Display()
    Observers(display, [(Listener(lambda *facts: calls.append(facts)), {})]).close()
    assert (calls, display.notes) == ([], [])


def test_each_run_has_a_copy_of_its_own():
    class Kept(StudyObserver):
        name = "kept"

        def trial_started(self, trial: Any) -> None:
            self.trial = trial

    keeping = Kept()
    assert observe(keeping) == []
    assert not hasattr(keeping, "trial")


def test_a_study_is_observed_from_start_to_end(seen, tmp_path, monkeypatch, warm_fork_server):
    monkeypatch.setenv("FERSEARCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FERSEARCH_OBSERVE", f"'seen:file={seen}'")
    name = create("observed", trials=1, dataset_options=SIZES)
    api.run_study(name, slots=1)
    assert seen.read_text().splitlines() == [
        "study_started observed 32 cnn",
        "trial_started 0 1 32",
        "epoch_ended 0 1 True",
        "epoch_ended 0 2 True",
        "trial_ended 0 complete True",
        "study_ended complete",
    ]


def test_a_study_goes_on_without_an_observer_that_fails_and_an_option_goes_before_its_variable(
    seen, tmp_path, monkeypatch, warm_fork_server
):
    monkeypatch.setenv("FERSEARCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FERSEARCH_OBSERVE", "unknown")
    display = Display()
    option = f"seen:file={seen},fails=epoch_ended"
    name = create("observed", trials=1, dataset_options=SIZES)
    view = api.run_study(name, slots=1, observer=display, observe=(option,))
    assert view.counts == {"complete": 1}
    assert seen.read_text().splitlines()[-1] == "trial_started 0 1 32"
    (note_text,) = [note for note in display.notes if "observer" in note]
    assert note_text.startswith("observer 'seen' of plugin ")
    assert note_text.endswith("seen.py failed in epoch_ended and receives no more events: RuntimeError: no more")


@pytest.mark.parametrize(
    ("option", "message", "hint"),
    [
        ("sen", "unknown observer 'sen'", "did you mean 'seen'? known observers: mlflow, seen, tensorboard"),
        ("seen:fil=x", "observer 'seen' has no option 'fil'", "did you mean 'file'? known: fails, file"),
        ("seen:", "--observe 'seen:' does not name an observer", "write NAME, or NAME:OPTION=VALUE,OPTION=VALUE"),
        ("seen:file", "--observe 'seen:file' does not name an observer", "write NAME, or NAME:OPTION=VALUE"),
        ("", "--observe '' does not name an observer", "write NAME, or NAME:OPTION=VALUE,OPTION=VALUE"),
        ("seen", "seen needs a file", "give --observe seen:file=FILE"),
    ],
)
def test_what_cannot_be_observed_is_refused_before_anything_is_opened(seen, option, message, hint):
    for refuse in (lambda: api.run_study("any", observe=(option,)), lambda: api.check_run(observe=(option,))):
        with pytest.raises(UsageError) as refused:
            refuse()
        assert refused.value.message == message
        assert refused.value.hint.startswith(hint)


def test_a_check_that_fails_names_the_plugin(seen, tmp_path):
    (tmp_path / "plugins" / "seen.py").write_text(SEEN.replace('"file" not in options', "1 / 0"))
    with pytest.raises(PluginError, match=r"observer 'seen' of plugin .*seen.py failed: ZeroDivisionError"):
        check_observers(["seen"])


def test_options_are_read_with_their_signs(seen, monkeypatch):
    ((_, options),) = find(["seen: file = http://host:5000/?a=b , fails=x"])
    assert options == {"file": "http://host:5000/?a=b", "fails": "x"}
    monkeypatch.delenv("FERSEARCH_OBSERVE", raising=False)
    assert find(None) == []
    monkeypatch.setenv("FERSEARCH_OBSERVE", f"'seen:file={seen}/with blank' seen:file=b")
    assert [options["file"] for _, options in find(None)] == [f"{seen}/with blank", "b"]
    assert find(()) == []
    monkeypatch.setenv("FERSEARCH_OBSERVE", "'seen:file=a")
    with pytest.raises(UsageError, match="FERSEARCH_OBSERVE has a quote that is not closed"):
        find(None)


def test_a_trial_that_waits_again_is_reported_of_as_such():
    calls: list[Any] = []
    display = Display()
    observers = Observers(display, [(Listener(lambda *facts: calls.append(facts)), {})], PATIENT)
    observers.begin(observed(), 1, [], 1)
    observers.ended(replace(ended(0), state="waiting"))
    observers.close()
    assert calls[1:] == [("trial_ended", 0, "waiting"), ("study_ended", "idle")]

"""`study enqueue`: what a person reads."""

import pytest

from fersearch import api, cli
from fersearch.api.enqueueing import EnqueuedView


@pytest.mark.parametrize(
    ("running", "needed", "message"),
    [
        (False, 3, "continue with: fersearch study run mine"),
        (True, 20, "its driver adds it now"),
        (False, 21, "its budget of 20 trials does not cover it; raise it: fersearch study run mine --trials 21"),
    ],
)
def test_it_says_when_the_configuration_is_tried(monkeypatch, capsys, running, needed, message):
    calls = []

    def fake(name, settings, storage=None):
        calls.append((name, settings, storage))
        return EnqueuedView(name, {"learning_rate": 0.01, "optimizer": "sgd"}, running, 1, needed, 20)

    monkeypatch.setattr(api, "enqueue_trial", fake)
    flags = ["--set", "learning-rate=0.01", "--set", "optimizer=sgd", "--storage", "s.db"]
    assert cli.run(["study", "enqueue", "mine", *flags]) == 0
    assert calls == [("mine", {"learning_rate": "0.01", "optimizer": "sgd"}, "s.db")]
    assert capsys.readouterr().out == f"study 'mine' tries learning_rate=0.01 optimizer=sgd next; {message}\n"


def test_json_is_the_record_alone(home_with_study, capsys):
    assert cli.run(["study", "enqueue", "small", "--set", "learning_rate=0.0123", "--json"]) == 0
    assert '"given": {\n    "learning_rate": 0.0123\n  }' in capsys.readouterr().out


def test_an_empty_request_is_refused(home_with_study, capsys):
    assert cli.run(["study", "enqueue", "small"]) == 2
    assert "no values are given to enqueue\n  give values, as --set learning_rate=0.01" in capsys.readouterr().err


def test_extending_tells_the_changes_of_now_alone_and_how_to_go_on(home_with_study, capsys):
    assert cli.run(["study", "extend", "small", "--trials", "30", "--timeout", "2h"]) == 0
    assert cli.run(["study", "extend", "small", "--set", "learning-rate=0.001..0.2", "--objective", "accuracy"]) == 0
    out = capsys.readouterr().out
    assert "became 30\ntimeout: nothing became 7200 s\nnext:\n  fersearch study run small\n" in out
    second = out.partition("run small\n")[2]
    assert second.startswith("objectives: accuracy:max, parameters:min")
    assert "0.001..0.2 (log)" in second
    assert "became 30" not in second
    assert cli.run(["study", "show", "small"]) == 0
    assert "became 30" in capsys.readouterr().out


def test_a_change_of_nothing_is_refused(home_with_study, capsys):
    assert cli.run(["study", "extend", "small"]) == 2
    assert "nothing changes in study 'small'\n  give --trials" in capsys.readouterr().err

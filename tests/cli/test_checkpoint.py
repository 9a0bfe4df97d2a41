"""`checkpoint gc`: its output, its questions, and its output for scripts."""

import json

import pytest

from fersearch import cli
from fersearch.cli import render, render_models
from fersearch.maintenance.garbage import Garbage, Heap
from fersearch.trial import Trial, TrialState
from tests.cli.fakes import OBJECTIVES, text

URL = "sqlite:///s.db"


def garbage(dry_run: bool = False, **heaps: Heap) -> Garbage:
    result = Garbage(URL, dry_run, ("cnn-faces",), young=1, unread={"sqlite:////far/t.db": "/far is not there"})
    result.heaps |= heaps
    return result


FILES_BY_KIND = {"released": Heap(12, 12 * 700_000), "scratch": Heap(3, 2**20)}


@pytest.fixture
def collected(monkeypatch):
    """Pretend to collect; the arguments of each call."""
    calls = []

    def collect(*, dry_run=False, storage=None):
        calls.append((dry_run, storage))
        return garbage(dry_run, **FILES_BY_KIND)

    monkeypatch.setattr("fersearch.maintenance.garbage.collect_garbage", collect)
    monkeypatch.setattr("fersearch.api.collect_garbage", collect, raising=False)
    return calls


def test_what_was_removed_is_reported_by_kind():
    assert text(render_models.garbage(garbage(**FILES_BY_KIND))) == "\n".join(
        [
            "what                                               files     size",
            "checkpoints released by their study's keep policy     12  8.01 MB",
            "states of trials that have ended                       3  1.00 MB",
            "removed 15 files, 9.01 MB",
            "skipped: study cnn-faces, which is running",
            "skipped: 1 file less than an hour old that no trial refers to yet",
            "skipped: files that sqlite:////far/t.db may need, which cannot be read now: /far is not there",
        ]
    )


def test_an_empty_collection_is_reported():
    assert text(render_models.garbage(Garbage(URL, False, ()))) == "nothing to remove"


def test_a_dry_run_only_counts(collected, capsys):
    assert cli.run(["checkpoint", "gc", "--dry-run", "--storage", URL]) == 0
    assert collected == [(True, URL)]
    assert "would remove 15 files, 9.01 MB\n" in capsys.readouterr().out


def test_without_a_terminal_it_refuses_and_with_yes_it_obeys(collected, capsys):
    assert cli.run(["checkpoint", "gc"]) == 2
    assert capsys.readouterr().err == (
        f"error: remove 15 files (9.01 MB) that no trial of {URL} needs: there is no terminal to ask on\n"
        "  give --yes to confirm\n"
    )
    assert collected == [(True, None)]
    assert cli.run(["checkpoint", "gc", "--yes"]) == 0
    assert collected[1:] == [(True, None), (False, None)]
    assert "removed 15 files, 9.01 MB\n" in capsys.readouterr().out


def test_scripts_get_figures_and_nothing_else(collected, capsys):
    assert cli.run(["checkpoint", "gc", "--yes", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "schema": 1,
        "storage": URL,
        "dry_run": False,
        "files": 15,
        "megabytes": 12 * 700_000 / 2**20 + 1,
        "kinds": {
            "released": {"files": 12, "megabytes": 12 * 700_000 / 2**20},
            "orphaned": {"files": 0, "megabytes": 0},
            "scratch": {"files": 3, "megabytes": 1},
            "unfinished": {"files": 0, "megabytes": 0},
        },
        "left_alone": {
            "running": ["cnn-faces"],
            "young": 1,
            "unread": {"sqlite:////far/t.db": "/far is not there"},
        },
    }


def test_a_trial_says_what_became_of_its_checkpoint():
    from fersearch.api.studies import TrialView

    released = Trial(3, {}, TrialState.COMPLETE, {"f1_macro": 0.5}, 2, 2, released="best 5")
    shown = text(render.trial(TrialView(released, ()), OBJECTIVES))
    assert "checkpoint  released: the study kept only the best 5 checkpoints (keep = best 5)" in shown.splitlines()

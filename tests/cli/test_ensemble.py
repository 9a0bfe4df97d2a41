"""What `ensemble`, `trial rerun` and the facts of an attempt look like, and what they answer to a script."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from fersearch import api, cli, formatting
from fersearch.api.studies import TrialView
from fersearch.cli import render, render_models
from fersearch.engines.rerun import Changed, Compared, Rerun
from fersearch.ensembles.building import Added, Ensemble, Member
from fersearch.study import Objective
from fersearch.trial import Attempt, Reason
from tests.cli.fakes import SPEC, text, trial

MADE = Ensemble(
    path=Path("ens"),
    method="stacking",
    digest="cd" * 32,
    objective=Objective("f1_macro", "max"),
    members=(Member("a", 4, "ab" * 32, 2.0, "1-a-4.safetensors"), Member("b", 0, "ef" * 32, 1.0, "2-b-0.safetensors")),
    steps=(Added("a", 4, 0.6, True), Added("b", 0, 0.64, True), Added("a", 4, 0.63, False)),
    n=300,
    value=0.7,
    single=0.6,
    fair=0.625,
    fair_single=0.59,
    costs={"parameters": 338540.0, "train_seconds": 12.5},
)
METRICS = (
    Compared("f1_macro", 0.5, 0.5, True),
    Compared("train_seconds", 3.0, 4.5, False),
)
SAME = Rerun("cnn-faces", 1, 7, 12, (9, 9), METRICS, ())
OTHER = Rerun("cnn-faces", 1, 7, 12, (9, 8), (Compared("f1_macro", 0.5, 0.375, True),), (Changed("threads", "2", "1"),))


def test_an_ensemble_tells_its_steps_and_both_figures():
    assert text(render_models.ensemble(MADE), 120).splitlines() == [
        "ensemble of 2 models by stacking in ens",
        "step  added      f1_macro ↑",
        "   1  a trial 4       0.600",
        "   2  b trial 0       0.640",
        "   3  a trial 4       0.630  dropped",
        "",
        "member     weight  digest",
        "a trial 4       2  abababababab",
        "b trial 0       1  efefefefefef",
        "",
        "f1_macro on validation           ensemble  best single",
        "the 300 images that selected it     0.700        0.600",
        "cross-validated                     0.625        0.590",
        "cross-validated, it is 0.035 better than the best single model",
        "all validation images selected the members, and the logistic regression was fitted on it",
        "together: parameters 338,540, train_seconds 12.5",
    ]


def test_an_ensemble_that_is_no_better_says_so():
    worse = replace(MADE, method="mean", fair=0.59)
    assert render_models.verdict(worse) == "cross-validated, it is no better than the best single model"
    loss = replace(worse, objective=Objective("log_loss", "min"), fair=0.4, fair_single=0.5)
    assert render_models.verdict(loss).startswith("cross-validated, it is 0.100 better than")


def test_an_ensemble_for_a_script(monkeypatch, capsys):
    call = {}

    def make(studies, out, **options):
        call.update(options, studies=studies, out=out)
        return MADE

    monkeypatch.setattr(api, "make_ensemble", make, raising=False)
    line = "ensemble a b -o ens --method stacking --size 3 --metric f1_macro --where parameters<=1e6 --force --json"
    assert cli.run(line.split()) == 0
    record = json.loads(capsys.readouterr().out)
    assert set(record) == {
        "schema", "path", "method", "digest", "objective", "members", "steps", "validation", "crossvalidated", "costs"
    }  # fmt: skip
    assert record["members"][0] == {
        "study": "a", "trial": 4, "digest": "ab" * 32, "weight": 2.0, "file": "1-a-4.safetensors"
    }  # fmt: skip
    assert record["steps"][2] == {"study": "a", "trial": 4, "value": 0.63, "kept": False}
    assert record["crossvalidated"] == {"ensemble": 0.625, "best_single": 0.59}
    call.pop("note")
    assert call == {
        "studies": ["a", "b"], "out": Path("ens"), "method": "stacking", "size": 3, "metric": "f1_macro",
        "where": ["parameters<=1e6"], "force": True, "storage": None,
    }  # fmt: skip


def test_an_ensemble_ends_with_what_to_type_next(monkeypatch, capsys):
    monkeypatch.setattr(api, "make_ensemble", lambda *_, **__: MADE, raising=False)
    assert cli.run(["ensemble", "a", "-o", "my ens"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2:] == ["  fersearch evaluate 'my ens'", "  fersearch predict 'my ens' FACE.png"]


def test_an_equal_rerun():
    assert text(render_models.rerun(SAME)).splitlines() == [
        "trial 1 of cnn-faces, retrained with seed 7: 12 epochs",
        "metric         stored  again",
        "f1_macro        0.500  0.500  same",
        "train_seconds    3.00   4.50  not checked",
        "",
        "the same: 1 metric and the kept epoch 9 are equal",
    ]


def test_a_rerun_that_differs_tells_by_how_much_and_what_changed():
    assert text(render_models.rerun(OTHER)).splitlines() == [
        "trial 1 of cnn-faces, retrained with seed 7: 12 epochs",
        "metric    stored  again",
        "f1_macro   0.500  0.375  differs by 0.125",
        "",
        "not the same: the largest difference is 0.125; kept epoch 8, not 9",
        "",
        "environment  then  now",
        "threads      2     1",
    ]


@pytest.fixture
def stored(monkeypatch):
    """A study with one recorded trial, whose rerun has a prepared result."""
    monkeypatch.setattr(api, "show_trial", lambda *_: TrialView(trial(1, 0.5, 3.0, 20.0), []), raising=False)
    monkeypatch.setattr(api, "study_spec", lambda *_: SPEC, raising=False)

    def comes_out(done):
        monkeypatch.setattr(api, "rerun_trial", lambda *_, **__: done, raising=False)

    return comes_out


@pytest.mark.parametrize(("done", "flags", "code"), [(SAME, "--check", 0), (OTHER, "--check", 1), (OTHER, "", 0)])
def test_only_a_check_that_fails_leaves_with_1(stored, capsys, done, flags, code):
    stored(done)
    assert cli.run(f"trial rerun cnn-faces 1 {flags} --json".split()) == code
    record = json.loads(capsys.readouterr().out)
    assert record["equal"] is done.equal
    assert record["metrics"]["f1_macro"] == {"stored": 0.5, "again": done.metrics[0].again, "checked": True}
    assert record["kept_epoch"] == {"stored": 9, "again": done.kept_epoch[1]}
    assert record["changed"] == [
        {"name": each.name, "stored": each.stored, "again": each.again} for each in done.changed
    ]


def test_a_check_needs_the_same_seed_and_something_to_check(stored, monkeypatch, capsys):
    assert cli.run(["trial", "rerun", "cnn-faces", "1", "--check", "--seed", "8"]) == 2
    assert "--check needs the study's own seed 7, not 8" in capsys.readouterr().err
    failed = TrialView(trial(1, 0, 0, 0, values={}), [])
    monkeypatch.setattr(api, "show_trial", lambda *_: failed, raising=False)
    assert cli.run(["trial", "rerun", "cnn-faces", "1", "--check"]) == 2
    assert "no recorded metrics to check against" in capsys.readouterr().err


def test_whatever_a_process_recorded_is_shown():
    facts = {"device": "cpu", "frozen_prefix_cache": True, "resumed_from": None, "stages": [1, 2]}
    attempt = Attempt(1, Reason.DONE, first_epoch=1, last_epoch=2, seconds=4.0, facts=facts)
    shown = text(render.attempts([attempt]))
    assert shown.splitlines()[-1] == "attempt 1 ran with device=cpu frozen_prefix_cache=true stages=[1, 2]"
    assert formatting.facts({}) == ""

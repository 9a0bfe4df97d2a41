"""`study compare` and `dataset report`: what they ask of the api, and what they refuse."""

import pytest

from fersearch import api, cli
from fersearch.report.comparison.compare import Compared, Swept
from fersearch.report.comparison.sweep import Sweep
from fersearch.report.folder import Written
from tests.report.compare_fakes import comparison, entry
from tests.report.fakes import MEASURES, record


@pytest.fixture
def compare_calls(monkeypatch):
    """The calls of compare_studies, which answers with two entries."""
    calls = []

    def fake(*args, **kwargs):
        calls.append((args, kwargs))
        return Compared(comparison(entry("a"), entry("b", (0.4, 0.5, 0.5))))

    monkeypatch.setattr(api, "compare_studies", fake)
    return calls


def test_flags_reach_the_api(compare_calls, tmp_path):
    arguments = ["study", "compare", "a", "b/*", "--metric", "f1_macro", "--by", "front", "--trial", "b/x=3"]
    assert cli.run([*arguments, "-o", str(tmp_path), "--force", "--storage", "sqlite:///s.db"]) == 0
    args, kwargs = compare_calls[0]
    assert args == (["a", "b/*"],)
    assert kwargs == {
        "metrics": ["f1_macro"],
        "by": "front",
        "trials": {"b/x": 3},
        "out": tmp_path,
        "force": True,
        "storage": "sqlite:///s.db",
    }


def test_the_screen_has_studies_scores_tests_and_warnings(compare_calls, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert cli.run(["study", "compare", "a", "b"]) == 0
    shown = capsys.readouterr().out
    for part in ("3 folds by subject or class, seed 42", "0.60 ± 0.10", "p Holm", "On faces, of 2: best F1 macro a"):
        assert part in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a", "--trial", "a"], "--trial a is not a choice of a trial"),
        (["a", "--trial", "a=x"], "write STUDY=NUMBER"),
        (["a", "--force"], "--force without -o"),
        (["a", "b", "--factor", "optimizer"], "--factor compares within one study"),
        (["a/*", "--factor", "optimizer"], "--factor compares within one study"),
        (["a", "--factor", "optimizer", "--by", "front"], "--factor takes every complete trial"),
    ],
)
def test_mistakes_are_reported(compare_calls, capsys, arguments, message):
    assert cli.run(["study", "compare", *arguments]) == 2
    assert message in capsys.readouterr().err.replace("\n", " ")
    assert not compare_calls


def test_a_factor_asks_for_a_sweep(monkeypatch, capsys):
    result = Sweep(record(4), "optimizer", [MEASURES["f1_macro"]])
    calls = []
    monkeypatch.setattr(api, "sweep_study", lambda *args, **kwargs: calls.append(args) or Swept(result))
    assert cli.run(["study", "compare", "a", "--factor", "optimizer"]) == 0
    assert calls == [("a", "optimizer")]
    shown = capsys.readouterr().out
    assert "all complete trials" in shown
    assert "adam" in shown


def test_dataset_report_reaches_the_api(monkeypatch, tmp_path, capsys):
    calls = []

    def fake(*args, **kwargs):
        kwargs.pop("progress")
        calls.append((args, kwargs))
        return Written(tmp_path, tmp_path / "index.html", ("a",), ("b", "c"))

    monkeypatch.setattr(api, "report_dataset", fake)
    arguments = ["dataset", "report", "faces", "-o", str(tmp_path), "--option", "train=9", "--target", "x", "--force"]
    assert cli.run(arguments) == 0
    assert calls[0][0] == ("faces", tmp_path)
    kwargs = {"data": None, "options": {"train": "9"}, "target": "x", "force": True, "plugins": ()}
    assert calls[0][1] == kwargs
    assert capsys.readouterr().out == f"wrote {tmp_path / 'index.html'}, 1 plots and 2 tables\n"

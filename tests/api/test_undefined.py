"""Finish, explain and importance on minimal studies: one trial, one epoch, equal or undefined values."""

from pathlib import Path

import pytest

from fersearch import api
from fersearch.api.results import Finish
from fersearch.cli import run as command
from fersearch.errors import UsageError
from tests.api.conftest import SETTINGS
from tests.api.test_explaining import NO_IMPORTANCE
from tests.small_sets import create, data, made, run

__all__ = ["data", "made"]
METRICS = '''
from fersearch import hookimpl
from fersearch.components import Metric


class OfTrained(Metric):
    """Whether images are answered differently, which those of the baseline are not."""

    name = "of_trained"

    def compute(self, evaluation):
        return 0.75 if (evaluation.probabilities != evaluation.probabilities[0]).any() else 0.25


class OnValid(OfTrained):
    name = "on_valid"

    def compute(self, evaluation):
        return super().compute(evaluation) if len(evaluation.labels) == 8 else float("nan")


class OfBaseline(OfTrained):
    name = "of_baseline"

    def compute(self, evaluation):
        return float("nan") if super().compute(evaluation) > 0.5 else 0.25


@hookimpl
def register_metrics(register):
    register(OnValid())
    register(OfBaseline())
'''
EQUAL = {"objectives": ("parameters", "model_mb"), "epochs": "1", "pruner": "pareto"}


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    file = tmp_path / "undefined.py"
    file.write_text(METRICS, encoding="utf-8")
    return file


def finish(name: str, **options: int) -> Finish:
    return api.finish_study(name, slots=1, seeds=1, **options)


def test_one_trial_of_one_epoch_is_explained_weighed_and_finished(
    data: Path, warm_fork_server: None, capsys: pytest.CaptureFixture[str]
) -> None:
    create("one", data, **EQUAL)
    run("one")
    assert api.explain_trial("one", 0).sentences == (
        "complete after 1 of 1 epoch",
        "not compared with other trials: it reached no rung (epochs at which trials are compared)",
    )
    assert command(["study", "importance", "one"]) == 0
    assert capsys.readouterr().out.split() == NO_IMPORTANCE.format("one").split()
    result = finish("one")
    assert (result.trial, result.metric, result.std, len(result.finalists)) == (0, "f1_macro", None, 1)
    assert "1 seed, 1 look at test, split auto): trial 0 of one, picked from 1 finalist" in result.line


def test_of_trials_that_are_equal_in_every_objective_the_first_is_picked(data: Path, warm_fork_server: None) -> None:
    create("equal", data, trials=2, **EQUAL)
    run("equal")
    run("equal")
    assert [trial.number for trial in api.front("equal").trials] == [0, 1]
    result = finish("equal", finalists=3)
    assert [one.trial for one in result.finalists] == [0, 1]
    assert (result.trial, {one.mean for one in result.finalists}) == (
        0,
        {api.list_trials("equal")[0].values["parameters"]},
    )


def test_a_finish_whose_metric_is_undefined_on_test_is_stored_and_shown(
    data: Path, plugin: Path, warm_fork_server: None, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "test" / "sad" / "0.png").unlink()
    create("untested", data, objectives=("on_valid", "parameters"), epochs="1", plugins=[plugin])
    run("untested")
    result = api.finish_study("untested", slots=1, seeds=2)
    assert result.line.startswith("on_valid undefined, accuracy ")
    assert " on the test split of imagefolder (no bootstrap interval, n = 7, " in result.line
    assert finish("untested").line == result.line
    assert command(["study", "show", "untested"]) == 0
    assert "finished       on_valid undefined, accuracy " in capsys.readouterr().out


def test_a_trial_whose_objective_is_undefined_failed_and_there_is_nothing_to_finish(data: Path, plugin: Path) -> None:
    create("never", data, objectives=("of_baseline", "parameters"), plugins=[plugin])
    run("never")
    why, compared = api.explain_trial("never", 0).sentences
    assert why.startswith("failed (diverged): of_baseline is not finite")
    assert compared == "not compared with other trials: the study has no pruner"
    with pytest.raises(UsageError, match="study 'never' has no complete trial, so there is nothing to finish") as error:
        finish("never")
    assert error.value.hint == "run more trials: fersearch study run never --trials N"


def test_a_search_that_gave_up_goes_on_once_what_it_searches_was_changed(
    data: Path, warm_fork_server: None, capsys: pytest.CaptureFixture[str]
) -> None:
    bound = ("parameters<=500000",)
    create("tight", data, where=bound, epochs="1", settings={**SETTINGS, "width": "3", "learning_rate": "0.01..0.02"})
    api.run_study("tight", slots=1)
    assert api.show_study("tight").counts["infeasible"] == 10
    with pytest.raises(UsageError) as error:
        finish("tight")
    assert error.value.hint == (
        "change what it searches: fersearch study extend tight --set NAME=...; then run it again"
    )
    assert command(["study", "show", "tight"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "10 infeasible of 1 (trials that break a bound before training do not count)" in shown
    api.extend_study("tight", settings={"width": "1"})
    assert api.run_study("tight", slots=1).counts["complete"] == 1

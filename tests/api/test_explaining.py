"""Why a trial stopped, from a database: each verdict is reproduced, and explained by the command line."""

import json
import random

import pytest

from fersearch import api
from fersearch.cli import run
from fersearch.errors import UnknownName
from fersearch.search.brain import Search
from fersearch.store import Store
from fersearch.study import Protocol
from tests.api.test_recalled import BASELINE, drive
from tests.search.fakes import METRICS, make_spec

NO_IMPORTANCE = "no parameter importance for {} yet: it needs 10 complete trials that differ in a parameter\n"


@pytest.fixture(scope="module", params=[1, 3], ids=["epochs", "rounds"])
def storage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with the study `s`, some of whose trials were lost and began again; unpruned `plain` beside it."""
    url = f"sqlite:///{tmp_path_factory.mktemp('explained')}/a.db"
    protocol = Protocol("kfold", folds=request.param) if request.param > 1 else Protocol()
    with Store.open(url) as store:
        study = store.create_study(make_spec(trials=30, pruner="pareto", protocol=protocol))
        with store.writer(study.id) as writer:
            search = Search(study, (), {}, writer, METRICS, BASELINE, request.param)
            drive(search, random.Random(1), 200 * request.param, request.param)
    return url


def test_every_verdict_of_the_database_is_reproduced(storage: str) -> None:
    judged = [trial for trial in api.list_trials("s", storage) if trial.verdict.get("rung")]
    assert any(trial.verdict["stop"] for trial in judged)
    result = [api.explain_trial("s", trial.number, storage) for trial in judged]
    assert all(one.own is not None for one in result)
    assert [one.number for one in result if not one.rebuilt] == []


def test_the_command_line_tells_it(
    storage: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    stopped = next(trial for trial in api.list_trials("s", storage) if trial.verdict.get("stop"))
    result = api.explain_trial("s", stopped.number, storage)
    assert run(["study", "explain", "s", str(stopped.number), "--storage", storage]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[: 1 + len(result.sentences)] == [f"trial {stopped.number}", *result.sentences]
    assert printed[-1].split()[:2] == [str(stopped.number), "(this)"]
    assert run(["study", "explain", "s", str(stopped.number), "--storage", storage, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["rank"], record["rung"], record["told"]) == (result.rank, result.rung, list(result.sentences))


def test_a_trial_that_is_not_there_is_reported(storage: str) -> None:
    with pytest.raises(UnknownName, match="no trial 999"):
        api.explain_trial("s", 999, storage)


def test_importances_are_printed(storage: str, capsys: pytest.CaptureFixture[str]) -> None:
    result = api.importance("s", storage)
    assert run(["study", "importance", "s", "--storage", storage]) == 0
    printed = capsys.readouterr().out
    if result["method"]:
        assert printed.splitlines()[1].split() == ["parameter", "f1_macro", "train_seconds", "peak_memory_mb"]
        assert f"{result['objectives']['f1_macro']['learning_rate']:.1%}" in printed
    else:
        assert printed == NO_IMPORTANCE.format("s")
    assert run(["study", "importance", "s", "--storage", storage, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"schema": 1, **result}

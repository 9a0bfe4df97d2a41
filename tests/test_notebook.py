"""What a notebook shows: tables in which everything is escaped, and data frames with everything in them."""

import html
import re
import sys
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from fersearch import api, notebook
from fersearch.errors import FersearchError
from fersearch.notebook import Trials
from fersearch.study import Constraint, Objective
from fersearch.study_front import Front
from fersearch.trial import Attempt, Reason, Trial, TrialState

OBJECTIVES = (Objective("f1_macro", "max"), Objective("train_seconds", "min"))
TAGS = {"div", "p", "b", "table", "thead", "tbody", "tr", "th", "td", "br"}
HOSTILE = "<script>alert('x')</script>&\x1b[31m"
SAFE = "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;&amp;\\x1b[31m"


def trial(number: int, **members: Any) -> Trial:
    values = {"f1_macro": 0.5, "f1_macro_std": 0.1, "train_seconds": 2.0}
    whole: dict[str, Any] = {"state": TrialState.COMPLETE, "values": values, "epochs": 3, "kept_epoch": 2}
    whole |= {"params": {"optimizer": "sgd"}, "attempts": (Attempt(1, Reason.DONE),)}
    return Trial(number, **{**whole, **members})


def texts(shown: str) -> list[list[str]]:
    """The cells of a table by row, as a person reads them."""
    rows = re.findall(r"<tr>(.*?)</tr>", shown)
    return [[html.unescape(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)] for row in rows]


def test_trials_are_a_list_with_a_table() -> None:
    other = replace(trial(1), params={"optimizer": "adam"}, state=TrialState.WAITING, values={}, attempts=())
    trials = Trials([trial(0), other], OBJECTIVES)
    assert trials == [trial(0), other]
    assert texts(trials._repr_html_()) == [
        ["trial", "state", "reason", "epochs", "f1_macro ↑", "train_seconds ↓", "parameters"],
        ["0", "complete", "done", "3", "0.500 ± 0.100", "2.00", "optimizer=sgd"],
        ["1", "waiting", "", "3", "-", "-", "optimizer=adam"],
    ]


def test_a_long_table_says_how_much_it_leaves_out() -> None:
    shown = Trials([trial(number) for number in range(103)], OBJECTIVES)._repr_html_()
    assert len(texts(shown)) == 101
    assert "<p>and 3 trials more: to_frame() has them all</p>" in shown


def test_the_frame_of_trials_has_every_parameter_and_value() -> None:
    other = replace(trial(7), params={"momentum": 0.9}, state=TrialState.FAILED, values={}, kept_epoch=None)
    result = Trials([trial(0), other], OBJECTIVES).to_frame()
    assert list(result.index) == [0, 7]
    assert result.index.name == "trial"
    assert list(result.columns) == [
        "state",
        "reason",
        "epochs",
        "kept_epoch",
        "checkpoint",
        "params_optimizer",
        "values_f1_macro",
        "values_f1_macro_std",
        "values_train_seconds",
        "params_momentum",
    ]
    assert result.loc[0, "state"] == "complete"
    assert type(result.loc[0, "state"]) is str
    assert result.loc[0, "values_f1_macro"] == 0.5
    assert pd.isna(result.loc[7, "values_f1_macro"])
    assert result.loc[7, "params_momentum"] == 0.9


def test_a_frame_without_rows_still_has_its_index() -> None:
    assert Trials().to_frame().index.name == "trial"
    assert len(Trials().to_frame()) == 0
    assert texts(Trials()._repr_html_()) == [["trial", "state", "reason", "epochs", "parameters"]]


def test_a_front_keeps_its_order_and_says_what_it_was_compared_on() -> None:
    front = Front("s", [trial(4), trial(2)], OBJECTIVES, {"f1_macro": 0.1}, 2, (Constraint("epochs", "<=", 5.0),))
    shown = front._repr_html_()
    assert texts(shown)[0] == ["trial", "f1_macro ↑", "train_seconds ↓", "epochs", "pick", "parameters"]
    assert [row[0] for row in texts(shown)[1:]] == ["4", "2"]
    assert re.findall(r"<p>(.*?)</p>", shown) == [
        "<b>Pareto front of s: 2 trials</b>",
        "within epochs&lt;=5",
        "baseline, always the largest class: f1_macro 0.100",
        "2 complete trials saw earlier data and cannot be compared with these",
        "cheapest: least train_seconds (equal within 5 %) within one standard error of the best f1_macro; "
        "knee: nearest to the best of all objectives, with f1_macro&gt;=0.45 (0.9*best)",
    ]
    assert list(front.to_frame().index) == [4, 2]


def test_a_study_and_its_trials_are_shown_as_the_verbs_return_them(small_home, monkeypatch) -> None:
    monkeypatch.setenv("FERSEARCH_HOME", str(small_home))
    study = api.show_study("small")
    (row,) = study.to_frame().to_dict("records")
    assert (row["model"], row["dataset"], row["state"], row["trials"], row["complete"]) == (
        "cnn",
        "faces",
        "complete",
        4,
        4,
    )
    shown = texts(study._repr_html_())
    assert ["trials", "4 complete of 4"] in shown
    assert ["batch_size", "32"] in shown
    assert list(api.list_trials("small").to_frame().index) == [0, 1, 2, 3]
    assert "<th>accuracy ↑</th>" in api.list_trials("small")._repr_html_()
    assert set(api.front("small").to_frame().index) <= {0, 1, 2, 3}
    one = api.show_trial("small", 0)
    epochs = one.to_frame()
    assert list(epochs.index) == [1, 2]
    assert epochs.loc[2, "values_accuracy"] == one.history[1].values["accuracy"]
    assert ["state", "complete done"] in texts(one._repr_html_())


def test_whatever_comes_from_elsewhere_is_escaped(small_home, monkeypatch) -> None:
    monkeypatch.setenv("FERSEARCH_HOME", str(small_home))
    hostile = trial(0, params={HOSTILE: HOSTILE}, values={HOSTILE: 1.0})
    objective = (Objective(HOSTILE, "max"),)
    study = api.show_study("small")
    view = api.show_trial("small", 0)
    epochs = [replace(view.history[0], values={HOSTILE: 1.0})]
    for shown in (
        Trials([hostile], objective)._repr_html_(),
        Front(HOSTILE, [hostile], objective, {HOSTILE: 1.0})._repr_html_(),
        replace(study, name=HOSTILE, storage=HOSTILE)._repr_html_(),
        replace(view, trial=hostile, history=epochs)._repr_html_(),
        notebook.facts({HOSTILE: HOSTILE}, HOSTILE),
    ):
        assert "<script" not in shown
        assert SAFE in shown
        assert set(re.findall(r"</?(\w+)", shown)) <= TAGS


def test_a_password_in_a_databases_url_is_not_shown(small_home, monkeypatch) -> None:
    monkeypatch.setenv("FERSEARCH_HOME", str(small_home))
    shown = replace(api.show_study("small"), storage="postgresql://me:secret@host/db")._repr_html_()
    assert "secret" not in shown
    assert "postgresql://me:***@host/db" in shown


def test_without_pandas_it_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(FersearchError) as refused:
        Trials([trial(0)]).to_frame()
    assert (refused.value.message, refused.value.hint) == ("to_frame() needs pandas", "install it: pip install pandas")

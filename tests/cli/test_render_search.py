"""Explanations and importances as text."""

import math

from fersearch.api.records import Explanation as Record
from fersearch.api.records.base import plain
from fersearch.cli import render_search
from fersearch.search.explanation import Explanation, Peer
from fersearch.study import Objective
from fersearch.trial import Reason, TrialState
from tests.cli.fakes import text

OBJECTIVES = (Objective("f1_macro", "max"), Objective("parameters", "min"))
UNDEFINED = Explanation(
    3,
    TrialState.PRUNED,
    Reason.PRUNED,
    epochs=1,
    planned=8,
    objectives=OBJECTIVES,
    rung=1,
    rank=2,
    peers=2,
    own=Peer(3, 2, {"f1_macro": math.nan, "parameters": 20.0}, {"f1_macro": math.nan, "parameters": 0.0}),
    ahead=(Peer(1, 1, {"f1_macro": 0.5, "parameters": 20.0}, {"f1_macro": math.nan, "parameters": 0.0}, True),),
    sentences=("pruned after 1 of 8 epochs",),
)


def test_a_value_that_is_undefined_is_compared_with_none() -> None:
    assert text(render_search.explanation(UNDEFINED)).splitlines() == [
        "trial 3",
        "pruned after 1 of 8 epochs",
        "",
        "trials ahead of it at epoch 1, best first",
        "trial     front  f1_macro ↑  parameters ↓  dominates it",
        "1             1       0.500  20.0 (equal)  yes",
        "3 (this)      2         nan          20.0",
    ]
    assert plain(Record.of(UNDEFINED))["ahead"][0]["better_by"] == {"f1_macro": None, "parameters": 0.0}


def test_an_objective_that_is_the_same_in_every_trial_is_reported() -> None:
    shares = {"f1_macro": {"width": 0.75, "dropout": 0.25}, "parameters": {"width": 0.0, "dropout": 0.0}}
    importances = {"method": "fANOVA", "objectives": shares, "needed": 10}
    assert text(render_search.importance("s", importances)).splitlines() == [
        "importance of parameters in s",
        "parameter  f1_macro  parameters",
        "width         75.0%           -",
        "dropout       25.0%           -",
        "share of each objective's variance that a parameter explains, by fANOVA",
        "parameters is the same in every trial",
    ]

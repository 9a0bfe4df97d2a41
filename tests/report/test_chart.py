"""What charts draw: the hypervolume's history is that of the fronts, trial by trial."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import zip_longest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fersearch import pareto
from fersearch.report import chart
from fersearch.report.chart import hypervolume_history, study_chart
from fersearch.space import Space
from fersearch.store import StudyRow
from fersearch.study import Objective, StudySpec
from fersearch.trial import Attempt, Trial, TrialState

OBJECTIVES = (Objective("f1_macro", "max"), Objective("train_seconds", "min"), Objective("peak_memory_mb", "min"))
BASELINE = {"f1_macro": 0.25}
VALUES = st.tuples(*[st.integers(1, 6)] * 3, st.sampled_from([TrialState.COMPLETE, TrialState.PRUNED]))
SPEC = StudySpec("s", "cnn", "faces", OBJECTIVES, Space({}))
STUDY = StudyRow(1, "s", SPEC, datetime.now(UTC), (), BASELINE, 0.0, data={"seen": {"digest": "new"}})
STATES = st.sampled_from([TrialState.RUNNING, TrialState.WAITING, TrialState.COMPLETE, TrialState.PRUNED])
VALUED = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ["f1_macro", "train_seconds", "peak_memory_mb", "f1_macro_std"], st.sampled_from([0.3, 0.6])
    ),
)
TRIALS = st.lists(
    st.builds(
        Trial,
        st.just(0),
        st.fixed_dictionaries({"width": st.integers(1, 2)}),
        STATES,
        VALUED,
        st.integers(0, 2),
        data_digest=st.sampled_from(["", "new", "new", "old"]),
    ),
    max_size=4,
)


def trials_of(rows: list[tuple[int, int, int, TrialState]]) -> list[Trial]:
    names = [objective.metric for objective in OBJECTIVES]
    return [
        Trial(number, {}, state, dict(zip(names, (f1 / 10, seconds, memory), strict=True)))
        for number, (f1, seconds, memory, state) in enumerate(rows)
    ]


@given(st.lists(VALUES, max_size=12))
def test_the_history_is_the_volume_of_each_front_as_a_share_of_the_last(rows):
    trials = trials_of(rows)
    complete = [one for one in trials if one.state is TrialState.COMPLETE]
    points = {
        one.number: [objective.loss(one.values[objective.metric]) for objective in OBJECTIVES] for one in complete
    }
    corner = pareto.reference_behind(list(points.values())) if points else []
    better = {number: point for number, point in points.items() if point[0] < -BASELINE["f1_macro"]}
    expected = []
    for number, point in better.items():
        earlier = [other for before, other in better.items() if before < number]
        if not any(np.all(np.less_equal(one, point)) and one != point for one in earlier):
            expected.append((number + 1, pareto.hypervolume([*earlier, point], corner)))
    whole = expected[-1][1] if expected else 0.0
    result = hypervolume_history(trials, OBJECTIVES, BASELINE)
    assert [count for count, _ in result] == [count for count, _ in expected if whole]
    assert [share for _, share in result] == pytest.approx([volume / whole for _, volume in expected if whole])


def test_unfinished_trials_and_trials_without_values_move_nothing():
    going = Trial(0, {}, TrialState.RUNNING, {"f1_macro": 0.9, "train_seconds": 1.0, "peak_memory_mb": 1.0})
    (ended,) = trials_of([(5, 2, 2, TrialState.COMPLETE)])
    assert hypervolume_history([going], OBJECTIVES, BASELINE) == []
    assert hypervolume_history([going, ended], OBJECTIVES, BASELINE) == [(1, 1.0)]


def numbered(trials: list[Trial]) -> list[Trial]:
    return [replace(trial, number=number) for number, trial in enumerate(trials)]


@given(TRIALS, TRIALS, st.sets(st.integers(0, 3)))
def test_a_chart_made_from_an_earlier_one_is_the_one_made_anew(earlier, later, changed):
    then = numbered(earlier)
    now = [
        new if old is None or new.number in changed else old for old, new in zip_longest(then, numbered(later)) if new
    ]
    assert study_chart(STUDY, now, {}, study_chart(STUDY, then, {})) == study_chart(STUDY, now, {})


def test_an_epoch_or_a_start_changes_the_entries_of_its_trial_and_nothing_else_is_computed(monkeypatch):
    running = Trial(1, {"width": 1}, TrialState.RUNNING, {"f1_macro": 0.5}, epochs=1)
    ended = replace(trials_of([(5, 2, 2, TrialState.COMPLETE)])[0], params={"width": 2})
    first = study_chart(STUDY, [ended, running], {})
    monkeypatch.setattr(chart, "front_of", None)
    again = study_chart(STUDY, [ended, replace(running, values={"f1_macro": 0.75}, epochs=2)], {}, first)
    assert again == replace(first, epochs=[0, 2], values={**first.values, "f1_macro": [0.5, 0.75]})
    assert (first.epochs, first.values["f1_macro"]) == ([0, 1], [0.5, 0.5])
    begun = study_chart(STUDY, [*again.source[1], Trial(2, {"width": 3}, TrialState.RUNNING)], {}, again)
    entries = {name: [*column, None] for name, column in again.values.items()}
    params = {"width": [2, 1, 3]}
    assert begun == replace(
        again,
        numbers=[0, 1, 2],
        states=["complete", "running", "running"],
        epochs=[0, 2, 0],
        values=entries,
        params=params,
    )


def test_ended_trials_whose_costs_other_work_disturbed_are_named():
    facts = {"device": "cpu", "threads": 1}
    values = {"f1_macro": 0.5, "train_seconds": 10.0, "cpu_seconds": 5.0, "latency_ms": 1.0}
    slowed = Trial(0, {}, TrialState.COMPLETE, values, attempts=(Attempt(1, facts=facts),))
    alone = Attempt(1, facts={**facts, "latency": {"alone": True}})
    trials = [slowed, replace(slowed, number=1, values={**values, "train_seconds": 5.5}, attempts=(alone,))]
    made = study_chart(STUDY, [*trials, replace(slowed, number=2, state=TrialState.RUNNING)], {})
    assert (made.disturbed, made.rough_latency) == ([0], [0])

"""What charts draw: the hypervolume's history is that of the fronts, trial by trial."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fersearch import pareto
from fersearch.report.chart import hypervolume_history
from fersearch.study import Objective
from fersearch.trial import Trial, TrialState

OBJECTIVES = (Objective("f1_macro", "max"), Objective("train_seconds", "min"), Objective("peak_memory_mb", "min"))
BASELINE = {"f1_macro": 0.25}
VALUES = st.tuples(*[st.integers(1, 6)] * 3, st.sampled_from([TrialState.COMPLETE, TrialState.PRUNED]))


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


def test_trials_that_have_not_ended_and_those_without_values_move_nothing():
    going = Trial(0, {}, TrialState.RUNNING, {"f1_macro": 0.9, "train_seconds": 1.0, "peak_memory_mb": 1.0})
    (ended,) = trials_of([(5, 2, 2, TrialState.COMPLETE)])
    assert hypervolume_history([going], OBJECTIVES, BASELINE) == []
    assert hypervolume_history([going, ended], OBJECTIVES, BASELINE) == [(1, 1.0)]

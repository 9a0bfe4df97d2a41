"""Every sampler proposes only what the architecture of a trial has."""

import pytest

from fersearch.search.samplers import SAMPLERS, make_sampler
from fersearch.space import Choice, Float, Int, Space
from fersearch.study import Budget, Objective, StudySpec
from fersearch.trial import Trial, TrialState

SPACE = Space(
    {
        "architecture": Choice("one", "zoo:two.v1"),
        "epochs": Choice(2),
        "learning_rate": Choice(0.1, 0.2, 0.3),
        "one.width": Int(1, 3, when={"architecture": ("one",)}),
        "zoo:two.v1.depth": Choice(2, 4, when={"architecture": ("zoo:two.v1",)}),
        "zoo:two.v1.skip": Choice(False, True, when={"architecture": ("zoo:two.v1",), "zoo:two.v1.depth": (4,)}),
    }
)
REAL = Space({**SPACE.dimensions, "learning_rate": Float(0.001, 0.1, log=True)})
OBJECTIVES = (Objective("accuracy", "max"), Objective("parameters", "min"))


@pytest.mark.parametrize("name", SAMPLERS)
def test_each_trial_has_its_architectures_dimensions_and_no_others(name):
    space = SPACE if name in ("grid", "ofat") else REAL
    spec = StudySpec("s", "one,zoo:two.v1", "faces", OBJECTIVES, space, budget=Budget(30), sampler=name, one_study=True)
    sampler, trials = make_sampler(spec, [], {}), []
    most = {"grid": 20, "ofat": 20, "gp": 11}.get(name, 14)
    while len(trials) < most and (proposal := sampler.ask(len(trials))) is not None:
        trials.append(Trial(len(trials), dict(proposal[0]), TrialState.COMPLETE))
        space.check(trials[-1].params)
        sampler.tell(len(trials) - 1, [float(len(trials) % 5), float(len(trials) % 3)], {})
    chosen = [spec.chosen(trial.params) for trial in trials]
    assert {architecture for architecture, _ in chosen} == {"one", "zoo:two.v1"}
    assert {len(params) for _, params in chosen} == {3, 4}
    assert len(trials) == {"grid": 18, "ofat": 8}.get(name, most)
    again = make_sampler(spec, trials, {})
    assert again.ask(len(trials)) is None or name not in ("grid", "ofat")

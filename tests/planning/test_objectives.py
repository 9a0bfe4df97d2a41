"""The objectives of a study that names none."""

from fersearch import accelerators, api
from fersearch.context import notices
from fersearch.planning.objectives import WHY
from fersearch.planning.plan import plan
from fersearch.planning.request import StudyRequest


def names(spec):
    return [objective.metric for objective in spec.objectives]


def test_time_on_a_cpu_is_its_own_and_on_a_gpu_that_of_the_clock(registry, monkeypatch):
    monkeypatch.setattr(accelerators, "gpus", list)
    assert names(plan(StudyRequest("net", "drawn"), registry)) == ["f1_macro", "cpu_seconds", "peak_memory_mb"]
    monkeypatch.setattr(accelerators, "gpus", lambda: ["0"])
    assert names(plan(StudyRequest("net", "drawn"), registry)) == ["f1_macro", "train_seconds", "peak_memory_mb"]


def test_the_default_objective_is_noted_once(tmp_path, monkeypatch):
    monkeypatch.setenv("FERSEARCH_HOME", str(tmp_path))
    monkeypatch.setattr(accelerators, "gpus", list)
    notices.clear()
    for name in ("a", "b"):
        api.create_study("cnn", "faces", name=name, limit=60)
    assert notices.count(WHY) == 1
    notices.clear()
    api.create_study("cnn", "faces", name="c", limit=60, objectives=("f1_macro", "train_seconds"))
    monkeypatch.setattr(accelerators, "gpus", lambda: ["0"])
    api.create_study("cnn", "faces", name="d", limit=60)
    assert WHY not in notices
    notices.clear()

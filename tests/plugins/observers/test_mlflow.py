"""MLflow's observer: the contract and what is logged, on MLflow itself where it is installed, else on a stand-in."""

import importlib.machinery
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from fersearch_observers.mlflow import MLflow, tracking_uri

from fersearch import api
from fersearch.errors import FersearchError, UsageError
from fersearch.study import StudyState
from fersearch.testing import ObserverSuite
from fersearch.testing.observers import ended, epoch, observed, started, whole_trial
from fersearch.trial import Attempt, Reason, TrialState

INSTALLED = find_spec("mlflow") is not None


class StandIn:
    """As much of `mlflow.MlflowClient` as the observer uses; what is logged to a URI is shared by its clients."""

    stores: dict[str, dict[str, Any]] = {}

    def __init__(self, tracking_uri: str) -> None:
        self.runs = self.stores.setdefault(tracking_uri, {"experiments": {}, "runs": {}})

    def search_experiments(self, max_results: int) -> list[Any]:
        return list(self.runs["experiments"])[:max_results]

    def get_experiment_by_name(self, name: str) -> Any:
        key = self.runs["experiments"].get(name)
        return None if key is None else SimpleNamespace(experiment_id=key)

    def create_experiment(self, name: str) -> str:
        assert name not in self.runs["experiments"]
        return self.runs["experiments"].setdefault(name, str(len(self.runs["experiments"]) + 1))

    def search_runs(self, experiment_ids: list[str], filter_string: str, max_results: int = 1000) -> list[Any]:
        wanted = [term.split(" = ") for term in filter_string.split(" and ")] if filter_string else []
        tags = {name.removeprefix("tags.").strip("`"): value.strip("'") for name, value in wanted}
        result = [run for run in self.runs["runs"].values() if run.info.experiment_id in experiment_ids]
        return [run for run in result if tags.items() <= run.data.tags.items()][:max_results]

    def create_run(self, experiment_id: str, tags: dict[str, str], run_name: str) -> Any:
        key = f"run{len(self.runs['runs'])}"
        info = SimpleNamespace(run_id=key, experiment_id=experiment_id, run_name=run_name, status="RUNNING")
        data = SimpleNamespace(tags=dict(tags), params={}, metrics={}, history={})
        return self.runs["runs"].setdefault(key, SimpleNamespace(info=info, data=data))

    def log_batch(self, run_id: str, metrics: Any = (), params: Any = ()) -> None:
        data = self.runs["runs"][run_id].data
        data.params |= {param.key: param.value for param in params}
        for metric in metrics:
            data.metrics[metric.key] = metric.value
            data.history.setdefault(metric.key, []).append(metric)

    def get_metric_history(self, run_id: str, key: str) -> list[Any]:
        return list(self.runs["runs"][run_id].data.history[key])

    def set_tag(self, run_id: str, key: str, value: str) -> None:
        self.runs["runs"][run_id].data.tags[key] = value

    def update_run(self, run_id: str, status: str) -> None:
        self.runs["runs"][run_id].info.status = status

    def set_terminated(self, run_id: str, status: str) -> None:
        self.update_run(run_id, status)


def module(name: str, **members: Any) -> ModuleType:
    made = ModuleType(name)
    made.__spec__ = importlib.machinery.ModuleSpec(name, None)
    vars(made).update(members)
    return made


@pytest.fixture(autouse=True)
def mlflow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("FERSEARCH_HOME", str(tmp_path))
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    if not INSTALLED:
        metric = lambda key, value, timestamp, step: SimpleNamespace(key=key, value=value, step=step)  # noqa: E731
        param = lambda key, value: SimpleNamespace(key=key, value=value)  # noqa: E731
        monkeypatch.setitem(sys.modules, "mlflow", module("mlflow", MlflowClient=StandIn))
        monkeypatch.setitem(sys.modules, "mlflow.entities", module("mlflow.entities", Metric=metric, Param=param))
    yield
    StandIn.stores.clear()


class TestMLflow(ObserverSuite):
    observer = MLflow()


@pytest.fixture
def flow() -> MLflow:
    flow = MLflow()
    flow.check({})
    flow.study_started(observed("cnn"), {})
    return flow


def runs(flow: MLflow) -> list[Any]:
    result = flow.client.search_runs([flow.experiment], "")
    return sorted(result, key=lambda run: run.info.run_name)


def history(flow: MLflow, run: Any, name: str) -> list[tuple[int, float]]:
    return [(metric.step, metric.value) for metric in flow.client.get_metric_history(run.info.run_id, name)]


def test_every_trial_is_a_run_of_the_studys_experiment(flow: MLflow) -> None:
    whole_trial(flow, 0)
    whole_trial(flow, 1)
    flow.study_ended(StudyState.COMPLETE)
    assert flow.client.get_experiment_by_name("cnn").experiment_id == flow.experiment
    first, second = runs(flow)
    assert (first.info.run_name, second.info.run_name) == ("cnn-trial-0", "cnn-trial-1")
    assert first.info.status == "FINISHED"
    assert first.data.params == {"optimizer": "sgd", "learning_rate": "0.01", "batch_size": "32", "nesterov": "True"}
    assert history(flow, first, "f1_macro") == [(1, 0.1), (2, 0.2)]
    assert history(flow, first, "trial/train_seconds") == [(2, 4.0)]
    tags = {name: value for name, value in first.data.tags.items() if name.startswith("fersearch.")}
    assert tags == {"fersearch.study": flow.study.uid, "fersearch.trial": "0", "fersearch.state": "complete"}


def test_a_trial_that_goes_on_goes_on_in_its_run(flow: MLflow) -> None:
    flow.trial_started(started(0))
    flow.epoch_ended(started(0), epoch(1))
    flow.trial_ended(replace(ended(0, Reason.INTERRUPTED, TrialState.WAITING), values={}))
    assert [run.info.status for run in runs(flow)] == ["SCHEDULED"]
    later = MLflow()
    later.study_started(observed("cnn"), {})
    again = replace(started(0), epochs=1, attempts=(Attempt(1, Reason.INTERRUPTED), Attempt(2)))
    later.trial_started(again)
    assert [run.info.status for run in runs(flow)] == ["RUNNING"]
    later.epoch_ended(again, epoch(2))
    later.trial_ended(ended(0))
    (run,) = runs(flow)
    assert (run.info.status, history(flow, run, "f1_macro")) == ("FINISHED", [(1, 0.1), (2, 0.2)])


def test_a_trial_that_failed_is_a_run_that_failed(flow: MLflow) -> None:
    flow.trial_started(started(0))
    flow.trial_ended(replace(ended(0, Reason.ERROR, TrialState.FAILED), values={}))
    assert [run.info.status for run in runs(flow)] == ["FAILED"]


def test_an_experiment_can_be_named(flow: MLflow) -> None:
    other = MLflow()
    other.study_started(observed("cnn"), {"experiment": "all"})
    assert other.client.get_experiment_by_name("all").experiment_id == other.experiment != flow.experiment


def test_an_option_goes_before_the_variable_of_mlflow_and_that_before_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tracking_uri({}) == f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://host:5000")
    assert tracking_uri({}) == "http://host:5000"
    assert tracking_uri({"uri": "http://other"}) == "http://other"


def test_a_database_in_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        MLflow().check({"uri": f"sqlite:///{tmp_path}/none/mlflow.db"})
    assert refused.value.message == f"observer 'mlflow': folder {tmp_path}/none does not exist"


def test_without_mlflow_the_run_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fersearch_observers.mlflow.find_spec", lambda name: None)
    with pytest.raises(FersearchError) as refused:
        api.run_study("any", observe=("mlflow",))
    assert refused.value.message == "observer 'mlflow' needs MLflow"
    assert refused.value.hint == "install it: pip install 'fersearch[mlflow]'"

"""Observers through a service: those of its administrator, and those that studies may ask for by name alone."""

import logging
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from fersearch import api, cli
from fersearch.engines.observing import find
from fersearch.errors import UsageError
from fersearch.run_options import RunOptions
from fersearch.service import drivers, jobs, observers, server
from fersearch.service.app import PREFIX, create_app
from fersearch.service.context import Service
from fersearch.service.drivers import DriverProcess
from fersearch.service.security import Gate
from fersearch.service.settings import ServiceSettings
from fersearch.service.verbs import VERBS
from fersearch.store.queue import Queued

BODY = {"model": "cnn", "dataset": "faces", "trials": 3, "run": False}
SECRET = "mlflow:uri=http://ada:secret@host:5000"
OFFERING = ServiceSettings(observe=("tensorboard:folder=/srv/runs",), offered_observers=(SECRET,))


@pytest.fixture
def offering(service: Service, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """An administrator of a service that offers MLflow."""

    async def here(verb: str, _storage: str | None, **arguments: Any) -> object:
        return VERBS[verb](**arguments)

    monkeypatch.setattr(jobs, "run", here)
    service = replace(service, settings=replace(OFFERING, data_roots=service.settings.data_roots))
    gate = Gate(service.settings, service.store)
    headers = {"Authorization": f"Bearer {gate.start_token}"}
    return TestClient(create_app(service, gate), base_url="http://127.0.0.1", headers=headers)


def test_a_study_keeps_the_observers_that_it_asks_for(offering: TestClient, service: Service):
    answer = offering.post(f"{PREFIX}/studies", json={**BODY, "observe": ["mlflow", "tensorboard", "mlflow"]})
    assert answer.status_code == 201, answer.text
    assert api.study_spec("cnn-faces").observe == ("mlflow", "tensorboard")
    assert offering.get(f"{PREFIX}/studies/cnn-faces/spec").json()["observe"] == ["mlflow", "tensorboard"]
    assert offering.get(f"{PREFIX}/studies/cnn-faces").json()["observe"] == ["mlflow", "tensorboard"]
    for _ in range(2):
        offering.post(f"{PREFIX}/studies/cnn-faces/resume")
        (queued,) = service.store.queue()
        assert queued.observe == ("mlflow", "tensorboard")
        offering.post(f"{PREFIX}/studies/cnn-faces/stop")


@pytest.mark.parametrize(
    ("observe", "mistake"),
    [
        (["mlfow"], "observe: 'mlfow' is not offered here; offered: mlflow, tensorboard"),
        (
            ["tensorboard:folder=/etc"],
            "observe: 'tensorboard:folder=/etc' has options, which the service's administrator gives; name it alone",
        ),
        ("mlflow", "observe: is not a list of names"),
        ([1], "observe: is not a list of names"),
    ],
)
def test_a_request_names_what_is_offered_and_nothing_else(offering: TestClient, observe: object, mistake: str):
    answer = offering.post(f"{PREFIX}/studies", json={**BODY, "data": "/etc", "observe": observe})
    assert answer.status_code == 422
    first, second = answer.json()["mistakes"]
    assert (first, second.partition(":")[0]) == (mistake, "data")
    assert "secret" not in answer.text
    assert offering.get(f"{PREFIX}/studies/cnn-faces").status_code == 404


def test_nothing_is_offered_unless_somebody_offers_it(admin: TestClient):
    answer = admin.post(f"{PREFIX}/studies", json={**BODY, "observe": ["tensorboard"]})
    assert answer.json()["mistakes"] == [
        "observe: 'tensorboard' is not offered here; none is: serve --offer-observer NAME offers one"
    ]


def test_the_administrators_options_go_to_a_driver_by_its_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FERSEARCH_HOME", str(tmp_path))
    started: list[tuple[list[str], dict[str, str]]] = []
    process = SimpleNamespace(wait=lambda: 0)
    monkeypatch.setattr(drivers.subprocess, "Popen", lambda args, **how: started.append((args, how["env"])) or process)
    queued = Queued(1, "s", "ada", datetime.now(UTC), uid="u", observe=("mlflow",))
    exited = Event()
    DriverProcess(queued, [0], OFFERING, exited.set)
    assert exited.wait(10), "the supervisor is called as a driver exits"
    ((args, env),) = started
    assert "secret" not in " ".join(args)
    monkeypatch.setenv("FERSEARCH_OBSERVE", env["FERSEARCH_OBSERVE"])
    assert [(one.name, dict(options)) for one, options in find(None)] == [
        ("tensorboard", {"folder": "/srv/runs"}),
        ("mlflow", {"uri": "http://ada:secret@host:5000"}),
    ]


def test_observers_no_longer_offered_are_left_out_and_reported(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING, "fersearch.service"):
        assert observers.of_study(["mlflow", "gone"], OFFERING) == ["tensorboard:folder=/srv/runs", SECRET]
    assert caplog.messages == ["observer 'gone' is no longer offered: it receives no events"]


def test_the_variable_holds_unless_the_administrator_says_otherwise(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FERSEARCH_OBSERVE", "mlflow")
    assert observers.of_study([], ServiceSettings()) == ["mlflow"]
    assert observers.of_study([], ServiceSettings(observe=())) == []
    assert observers.mistakes(["mlflow"], ServiceSettings()) == []


@pytest.mark.parametrize("settings", [{"observe": ("tensorbord",)}, {"offered_observers": ("tensorboard:folde=x",)}])
def test_a_service_does_not_begin_with_observers_that_cannot_work(settings: dict[str, Any]):
    with pytest.raises(UsageError, match=r"tensorbord|no option 'folde'"):
        server.check(ServiceSettings(**settings))


def test_the_command_line_sends_observers_with_the_study(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(api, "connect", lambda *_: None)
    monkeypatch.setattr(api, "is_connected", lambda: True)
    monkeypatch.setattr(api, "check_run", lambda options: sent.append({"run": options}))
    monkeypatch.setattr(api, "create_study", lambda **keywords: sent.append(keywords) or api.study_spec("small"))
    monkeypatch.setattr(api, "study_spec", lambda _: type("Spec", (), {"name": "small"}))
    monkeypatch.setattr(api, "run_study", lambda *_: None)
    monkeypatch.setattr("fersearch.cli.study.queue_each", lambda *_: 0)
    args = ["study", "create", "-m", "cnn", "-d", "faces", "--observe", "mlflow"]
    assert cli.run(["--server", "http://lab", *args]) == 0, capsys.readouterr().err
    assert sent[0]["run"] == RunOptions()
    assert sent[1]["observe"] == ("mlflow",)

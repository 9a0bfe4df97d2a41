"""A database that is away for a while: the service says so, stays, and goes on where it was."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from fersearch.context import shared_store
from fersearch.service import supervisor as supervision
from fersearch.service.app import PREFIX, create_app
from fersearch.service.context import Service
from fersearch.service.models import ModelCache
from fersearch.service.response_cache import ResponseCache
from fersearch.service.security import Gate
from fersearch.service.settings import ServiceSettings
from fersearch.service.stream import EventStream
from fersearch.service.supervisor import Supervisor
from fersearch.store import Store
from tests.faults.conftest import SLOW_PLUGIN
from tests.postgres import Server, Unavailable
from tests.service.conftest import HOST
from tests.service.served import Served, kill_all, wait_for
from tests.service.test_serve import BODY, EPOCHS
from tests.service.test_supervisor import Driver
from tests.store.conftest import make_spec


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that the test may stop."""
    try:
        server = Server()
    except Unavailable as reason:
        pytest.skip(str(reason))
    yield server
    server.close()


@pytest.fixture
def store(server: Server) -> Iterator[Store]:
    """The database of the service, with the study `faces`."""
    with shared_store(server.create()) as store:
        store.create_study(make_spec())
        yield store


@pytest.fixture
def supervisor(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    """A supervisor at work that looks at the queue often, and whose drivers do nothing."""
    monkeypatch.setattr(supervision, "DriverProcess", Driver)
    monkeypatch.setattr(supervision, "TICK_SECONDS", 0.02)
    Driver.started = []
    supervisor = Supervisor(store, ServiceSettings(), 2)
    supervisor.start()
    yield supervisor
    supervisor.close()


@pytest.fixture
def admin(store: Store, supervisor: Supervisor) -> Iterator[TestClient]:
    settings = ServiceSettings(storage=store.database.address)
    gate = Gate(settings, store)
    parts = (supervisor, EventStream(store), ModelCache(store, settings.storage), ResponseCache(store))
    headers = {"Authorization": f"Bearer {gate.start_token}"}
    with TestClient(create_app(Service(settings, store, *parts), gate), HOST, headers=headers) as client:
        yield client


def test_a_service_whose_database_is_away_says_so_and_goes_on_when_it_is_back(
    server: Server, admin: TestClient, caplog: pytest.LogCaptureFixture
):
    before = admin.get(f"{PREFIX}/studies/faces").json()
    server.stop()
    for path in ("/studies", "/studies/faces", "/studies/faces/front", "/studies/faces/chart", "/queue"):
        away = admin.get(PREFIX + path)
        assert (away.status_code, away.headers["content-type"]) == (503, "application/problem+json")
        assert away.json()["hint"] == "check that the database can be reached"
    assert admin.post(f"{PREFIX}/studies/faces/resume", json={}).status_code == 503
    assert admin.get("/healthz").json() == {"status": "ok"}
    server.start()
    assert admin.get(f"{PREFIX}/studies/faces").json() == before
    assert admin.post(f"{PREFIX}/studies/faces/resume", json={}).status_code == 200
    while not Driver.started:
        time.sleep(0.01)
    assert [driver.study for driver in Driver.started] == ["faces"]
    assert any(message.startswith("the queue waits: database postgresql") for message in caplog.messages)


@pytest.mark.long
def test_a_study_trains_on_through_a_minute_without_its_database(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "slow.py").write_text(SLOW_PLUGIN)
    monkeypatch.setenv("FERSEARCH_PLUGINS_DIR", str(tmp_path / "plugins"))
    monkeypatch.setenv("SLOW_SECONDS", "1")
    monkeypatch.setenv("FERSEARCH_STORAGE", server.create())
    served = Served(tmp_path / "home")
    try:
        assert served.client.post("/api/v1/studies", json={**BODY, "name": "s"}).status_code == 201
        wait_for(lambda: [one["epochs"] for one in served.get("/studies/s/trials").json()] > [0])
        before = served.get("/studies/s/trials/0").json()["epochs"]
        server.stop()
        time.sleep(60)
        assert served.client.get("/api/v1/studies/s").status_code == 503
        server.start()
        wait_for(lambda: served.client.get("/api/v1/studies/s").status_code == 200)
        wait_for(lambda: served.get("/studies/s/trials/0").json()["epochs"] > before + 10, 30)
        wait_for(lambda: served.get("/studies/s").json()["state"] == "complete")
        trial = served.get("/studies/s/trials/0").json()
        assert [epoch["epoch"] for epoch in trial["history"]] == list(range(1, EPOCHS + 1))
        assert [one["reason"] for one in trial["attempts"]] == ["done"]
    finally:
        kill_all(tmp_path / "home")

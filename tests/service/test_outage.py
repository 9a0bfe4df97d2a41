"""A database that is away for a while: the service says so, stays, and goes on where it was."""

import time
from collections.abc import Iterator

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
from tests.postgres import Server, Unavailable
from tests.service.conftest import HOST
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

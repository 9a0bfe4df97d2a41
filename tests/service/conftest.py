"""A service without its supervisor's thread, on a home that holds the finished study `small`."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from fersearch import api
from fersearch.context import shared_store
from fersearch.service import jobs
from fersearch.service.app import create_app
from fersearch.service.context import Service
from fersearch.service.models import ModelCache
from fersearch.service.response_cache import ResponseCache
from fersearch.service.security import Gate
from fersearch.service.settings import ServiceSettings
from fersearch.service.stream import EventStream
from fersearch.service.supervisor import Supervisor
from tests.preloaded import Preloaded
from tests.service import children

HOST = "http://127.0.0.1"


@pytest.fixture
def roots(tmp_path: Path) -> Path:
    """The folder below which requests may name data."""
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def service(
    home_with_study: Path, roots: Path, preloaded: Preloaded, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Service]:
    """A service whose children are forked."""
    monkeypatch.setattr(jobs, "_started", partial(children.start, preloaded))
    settings = ServiceSettings(data_roots=(roots,))
    with shared_store() as store:
        stream = EventStream(store)
        models, answers = ModelCache(store, None), ResponseCache(store)
        yield Service(settings, store, Supervisor(store, settings, 2), stream, models, answers)
        stream.close()


@pytest.fixture
def gate(service: Service) -> Gate:
    return Gate(service.settings, service.store)


@pytest.fixture
def anonymous(service: Service, gate: Gate) -> Iterator[TestClient]:
    """A client that has no token."""
    app = create_app(service, gate)
    with TestClient(app, base_url=HOST, raise_server_exceptions=False, follow_redirects=False) as client:
        yield client


@pytest.fixture
def admin(anonymous: TestClient, gate: Gate) -> TestClient:
    """The same client with the token of the start."""
    anonymous.headers["Authorization"] = f"Bearer {gate.start_token}"
    return anonymous


def token_of(name: str, role: str, owner: str = "") -> dict[str, str]:
    """Return the header of a new token."""
    return {"Authorization": f"Bearer {api.new_token(name, role, owner)}"}

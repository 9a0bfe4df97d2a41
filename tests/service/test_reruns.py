"""A trial is trained again in a slot of the service, with events as it trains, and is cancelled with its client."""

import asyncio
import hashlib
import json
import math
import shutil
from base64 import b64decode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from fersearch import accelerators
from fersearch.api.records.service import RerunRequest
from fersearch.checkpoint_folder import WEIGHTS
from fersearch.service import jobs, reruns
from fersearch.service.app import PREFIX
from fersearch.service.context import Service
from fersearch.service.problems import ProblemError
from tests.service.conftest import token_of

RERUN = f"{PREFIX}/studies/small/trials/0/rerun"
EPOCH = {"epoch": 1, "round": 1, "values": {}, "seconds": 1.0, "cpu_seconds": 1.0}


@pytest.fixture
def scheduled(service: Service) -> Service:
    """A service whose supervisor looks at once."""
    service.supervisor.reservations._wake = service.supervisor.step
    return service


def events(text: str) -> list[tuple[str, dict[str, Any]]]:
    lines = [line.partition(": ") for line in text.splitlines() if line]
    kinds, data = ([value for name, _, value in lines if name == wanted] for wanted in ("event", "data"))
    return list(zip(kinds, map(json.loads, data), strict=True))


def test_a_rerun_streams_its_slot_its_epochs_and_its_result(
    scheduled: Service, admin: TestClient, monkeypatch: pytest.MonkeyPatch
):
    async def child(verb: str, _: str | None, **options: object) -> AsyncIterator[dict[str, object]]:
        (held,) = scheduled.supervisor.reservations.all()
        assert (held.study, held.trial, held.owner, held.slot) == ("small", 0, "admin", 0)
        place = {"count": None, "per_gpu": None, "threads": None, "number": 0}
        how = {"seed": 7, "device": None, "data": None, "out": None}
        assert (verb, options) == ("rerun", {"study": "small", "trial": 0, **how, "place": place})
        yield {"epoch": EPOCH}
        yield {"result": {"equal": True}}

    monkeypatch.setattr(jobs, "reported", child)
    answer = admin.post(RERUN, json={"seed": 7})
    assert answer.headers["content-type"].partition(";")[0] == "text/event-stream"
    assert events(answer.text) == [("slot", {"slot": 0}), ("epoch", EPOCH), ("result", {"equal": True})]
    assert scheduled.supervisor.reservations.all() == []


def test_a_requested_model_is_sent_in_pieces_before_the_result_and_not_stored(
    scheduled: Service, admin: TestClient, monkeypatch: pytest.MonkeyPatch, pulled: Path, roots: Path
):
    folders = []

    async def child(_: str, __: str | None, **options: object) -> AsyncIterator[dict[str, object]]:
        assert (options["device"], options["data"]) == ("cpu", str(roots))
        folders.append(Path(str(options["out"])))
        shutil.copytree(pulled, folders[0])
        yield {"result": {"equal": True}}

    monkeypatch.setattr(jobs, "reported", child)
    monkeypatch.setattr(reruns, "PIECE", 2**18)
    answer = admin.post(RERUN, json={"keep": True, "device": "cpu", "data": str(roots)})
    kinds, data = zip(*events(answer.text), strict=True)
    weights = (pulled / WEIGHTS).read_bytes()
    assert kinds == ("slot", "model", *["weights"] * math.ceil(len(weights) / 2**18), "result")
    assert b"".join(b64decode(one["piece"]) for one in data[2:-1]) == weights
    assert (data[1]["digest"], data[1]["bytes"]) == (hashlib.sha256(weights).hexdigest(), len(weights))
    assert not folders[0].parent.exists()


def test_a_device_or_a_folder_that_is_not_the_services_is_refused(
    admin: TestClient, roots: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(accelerators, "gpus", lambda: ["GPU-a", "GPU-b"])
    device = admin.post(RERUN, json={"device": "cuda:1"})
    assert device.status_code == 422
    assert device.json()["detail"] == "device 'cuda:1' is not one of the service's slots"
    assert device.json()["hint"] == "leave it out, or choose of: cuda:0, cpu"
    data = admin.post(RERUN, json={"data": "/etc"})
    assert data.status_code == 422
    assert data.json()["mistakes"] == [f"data: '/etc' is not below a data root; roots: {roots}"]


def test_a_rerun_that_fails_ends_with_its_problem(
    scheduled: Service, admin: TestClient, monkeypatch: pytest.MonkeyPatch
):
    async def child(*_: object, **__: object) -> AsyncIterator[dict[str, object]]:
        raise ProblemError(422, "the data is gone", "bring it back")
        yield {}

    monkeypatch.setattr(jobs, "reported", child)
    kind, problem = events(admin.post(RERUN).text)[-1]
    assert (kind, problem["status"], problem["detail"], problem["hint"]) == (
        "problem",
        422,
        "the data is gone",
        "bring it back",
    )


def test_what_cannot_be_trained_again_is_refused_before_the_stream_begins(admin: TestClient):
    missing = admin.post(f"{PREFIX}/studies/small/trials/99/rerun")
    assert (missing.status_code, missing.headers["content-type"]) == (404, "application/problem+json")
    assert admin.post(RERUN, json={"out": "here"}).status_code == 422
    admin.headers.update(token_of("reader", "read"))
    assert admin.post(RERUN).status_code == 403


def test_a_client_that_disconnects_cancels_the_rerun_and_releases_its_slot(
    scheduled: Service, monkeypatch: pytest.MonkeyPatch
):
    ended = asyncio.Event()

    async def child(*_: object, **__: object) -> AsyncIterator[dict[str, object]]:
        try:
            yield {"epoch": EPOCH}
            await asyncio.sleep(60)
        finally:
            ended.set()

    monkeypatch.setattr(jobs, "reported", child)

    async def leave() -> None:
        stream = reruns.events(scheduled, "ada", "small", 0, RerunRequest())
        assert [kind async for kind, _ in _first(stream, 2)] == ["slot", "epoch"]
        await stream.aclose()  # type: ignore[attr-defined]
        await asyncio.wait_for(ended.wait(), 5)
        await asyncio.sleep(0)
        assert scheduled.supervisor.reservations.all() == []

    asyncio.run(leave())


async def _first(stream: AsyncIterator[reruns.Event], count: int) -> AsyncIterator[reruns.Event]:
    for _ in range(count):
        yield await anext(stream)

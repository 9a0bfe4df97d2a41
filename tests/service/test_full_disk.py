"""A full disk under the service: clients get an error that says so, data can be read, and later it continues."""

import errno
import io
import json
import os
import shutil
import sys
from collections.abc import Callable
from tempfile import SpooledTemporaryFile
from typing import Any

import pytest
from fastapi.testclient import TestClient

from fersearch.service import job
from fersearch.service.app import PREFIX
from fersearch.service.context import Service
from tests.store.test_full_disk import fill_disk


@pytest.fixture
def make_room(service: Service) -> Callable[[], None]:
    """Fill the disk under the database; call it to make room."""
    return fill_disk(service.store)


def no_room(*_: object, **__: object) -> Any:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_what_cannot_be_stored_is_reported_until_there_is_room(admin: TestClient, make_room: Callable[[], None]):
    owner = f"{PREFIX}/owners/{'a' * 60_000}"  # more than the last pages of the database hold
    full = admin.put(owner, json={"weight": 2})
    assert (full.status_code, full.headers["content-type"]) == (507, "application/problem+json")
    assert full.json()["detail"].endswith("database or disk is full")
    assert full.json()["hint"].startswith("free disk space")
    assert admin.get(f"{PREFIX}/owners").json() == []
    assert admin.get(f"{PREFIX}/studies/small/front").status_code == 200
    make_room()
    assert admin.put(owner, json={"weight": 2}).status_code == 200


def test_an_upload_that_finds_no_room_is_no_mistake_of_who_sent_it(admin: TestClient, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(SpooledTemporaryFile, "write", no_room)
    files = {"images": ("face.png", b"x" * 100)}
    answer = admin.post(f"{PREFIX}/studies/small/checkpoints/0/predict", files=files)
    assert (answer.status_code, answer.json()["detail"]) == (507, "the service's disk is full")


def test_a_file_that_cannot_be_put_down_is_reported(admin: TestClient, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shutil, "rmtree", no_room)
    answer = admin.get(f"{PREFIX}/studies/small/checkpoints/0/onnx")
    assert (answer.status_code, answer.json()["detail"]) == (507, "the service's disk is full")


def test_a_child_that_finds_no_room_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(job.VERBS, "report", no_room)
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"verb": "report", "arguments": {}}'))
    answer = io.StringIO()
    monkeypatch.setattr(answer, "close", lambda: None)
    monkeypatch.setattr(os, "dup", lambda _: 1)
    monkeypatch.setattr(os, "dup2", lambda *_: 1)
    monkeypatch.setattr(os, "fdopen", lambda *_, **__: answer)
    job.main()
    assert json.loads(answer.getvalue())["problem"]["status"] == 507

"""Models that a service holds open: those that were used last, as many as there is room for."""

import asyncio
import os
from pathlib import Path

import pytest

from fersearch import exported_models
from fersearch.evaluation.serving import ServedModel
from fersearch.service import models as module
from fersearch.service.context import Service
from fersearch.service.models import ModelCache


@pytest.fixture
def opened(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The models that were opened, in order; each of 100 bytes, one for each trial of `small`."""
    opened: list[str] = []

    async def exported(_: ModelCache, study: str, trial: int) -> Path:
        folder = tmp_path / f"{study}-{trial}"
        folder.mkdir(exist_ok=True)
        (folder / "model.onnx").write_bytes(b"x" * 100)
        return folder

    monkeypatch.setattr(ModelCache, "exported", exported)
    monkeypatch.setattr(ServedModel, "open", lambda folder: opened.append(folder.name) or object())
    return opened


@pytest.mark.parametrize(("name", "most"), [("OPEN", 2), ("OPEN_BYTES", 200)])
def test_the_model_that_was_not_used_longest_makes_room(
    service: Service, opened: list[str], monkeypatch: pytest.MonkeyPatch, name: str, most: int
):
    monkeypatch.setattr(module, name, most)
    for trial in (0, 1, 0, 2, 0, 1):
        asyncio.run(service.models._model("small", trial))
    assert opened == ["small-0", "small-1", "small-2", "small-1"]


def test_one_model_is_held_however_large_it_is(service: Service, opened: list[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "OPEN_BYTES", 1)
    for trial in (0, 0, 1, 1):
        asyncio.run(service.models._model("small", trial))
    assert opened == ["small-0", "small-1"]


def test_only_so_many_digests_are_known(service: Service, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "KNOWN", 2)
    for trial in range(4):
        service.models.weights("small", trial)
        assert len(service.models._digests) <= 2


def test_an_exported_model_is_made_once_and_again_when_it_had_to_make_room(
    service: Service, monkeypatch: pytest.MonkeyPatch
):
    made: list[int] = []

    async def export(_verb: str, _storage: str | None, *, study: str, trial: int, folder: str) -> None:
        made.append(trial)
        Path(folder).mkdir(parents=True)
        (Path(folder) / "card.json").write_text("{}")

    monkeypatch.setattr(module.jobs, "run", export)
    monkeypatch.setattr(exported_models, "IN_USE", 0.0)
    models = ModelCache(service.store, None, most_exported=2)
    first = asyncio.run(models.exported("small", 0))
    assert asyncio.run(models.exported("small", 0)) == first
    os.utime(first, (1, 1))
    asyncio.run(models.exported("small", 1))
    assert not first.exists()
    asyncio.run(models.exported("small", 0))
    assert made == [0, 1, 0]

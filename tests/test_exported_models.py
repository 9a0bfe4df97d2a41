"""Exported models: complete or absent, retained by use, and removed with their checkpoints."""

from pathlib import Path

import pytest

from fersearch import api
from fersearch.exported_models import ABANDONED, CARD, IN_USE, ExportedModels

A, B, C = ("a" * 64, "b" * 64, "c" * 64)


class Clock:
    """A clock that is set by hand."""

    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def models(tmp_path: Path, clock: Clock) -> ExportedModels:
    """Three models of 100 bytes and more, used one after the other, the last an hour ago."""
    models = ExportedModels(tmp_path, clock)
    for digest in (A, B, C):
        export(models, digest)
        clock.now += 3600
    return models


def export(models: ExportedModels, digest: str) -> None:
    place = models.unfinished(digest)
    place.mkdir(parents=True)
    (place / "model.onnx").write_bytes(b"x" * 98)
    (place / CARD).write_text("{}")
    models.keep(digest)


def test_the_least_recently_used_models_make_room(models: ExportedModels):
    assert models.sizes() == dict.fromkeys((A, B, C), 100)
    assert models.use(A) == models.root / A
    models.shrink(200)
    assert set(models.sizes()) == {A, C}
    models.shrink(200)
    assert set(models.sizes()) == {A, C}


def test_one_in_use_stays_however_little_room_there_is(models: ExportedModels, clock: Clock):
    models.use(B)
    models.shrink(0)
    assert set(models.sizes()) == {B}
    clock.now += IN_USE
    models.shrink(0)
    assert list(models.root.iterdir()) == []


def test_what_was_cut_off_is_removed_and_what_is_under_way_is_not(models: ExportedModels, clock: Clock):
    place = models.unfinished("d" * 64)
    place.mkdir()
    (models.root / f"{A}.removed").mkdir()
    clock.now = place.stat().st_mtime + 1
    models.shrink(10**6)
    assert {path.name for path in models.root.iterdir()} == {A, B, C, place.name}
    assert models.use("d" * 64) is None
    clock.now += ABANDONED
    models.shrink(10**6)
    assert {path.name for path in models.root.iterdir()} == {A, B, C}


def test_one_without_a_card_is_not_there(models: ExportedModels):
    (models.root / A / CARD).unlink()
    assert models.use(A) is None
    export(models, A)
    assert models.use(A) is not None


def test_one_goes_with_its_checkpoint_and_is_counted_for_its_owner(home_with_study: Path):
    models, digest = ExportedModels(), api.show_trial("small", 0).trial.checkpoint or ""
    export(models, digest)
    export(models, A)  # of a checkpoint of no study here
    used = api.disk_by_owner()[""]
    assert (used.exported, used.exported_bytes) == (1, 100)
    api.delete_study("small")
    assert set(models.sizes()) == {A}

"""A small set of drawn pictures as folders, and the study that began with it."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fersearch import api
from fersearch.context import notices, open_store
from fersearch.observer import Observer
from tests.api.conftest import SETTINGS

PARTS = {"train": 8, "valid": 4, "test": 4}


class Notes(Observer):
    """Collects the messages for users."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def add(folder: Path, part: str, label: str, name: str, seed: int) -> Path:
    """Add one picture, dark or bright by its label."""
    level = 60 if label == "sad" else 190
    pixels = np.random.default_rng(seed).integers(level - 40, level + 40, (48, 48), np.uint8)
    (folder / part / label).mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(folder / part / label / f"{name}.png")
    return folder / part / label / f"{name}.png"


def write(folder: Path, labels: tuple[str, ...] = ("happy", "sad")) -> Path:
    for place, label in enumerate(labels):
        for part, count in PARTS.items():
            for k in range(count):
                add(folder, part, label, str(k), 1000 * place + 100 * len(part) + k)
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A home with study `s` of one complete trial, and the folder that it was trained on."""
    home, data = tmp_path_factory.mktemp("home"), write(tmp_path_factory.mktemp("data") / "faces")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FERSEARCH_HOME", str(home))
        patch.delenv("FERSEARCH_STORAGE", raising=False)
        create("s", data)
        api.run_study("s", in_process=True)
    return home, data


def create(name: str, data: Path | None, **wishes: Any) -> None:
    plain = {"trials": 1, "epochs": "2", "sampler": "random", "pruner": "none", "settings": SETTINGS, "keep": "all"}
    plain |= {"objectives": ("accuracy", "parameters")}
    api.create_study("cnn", "imagefolder", name=name, data=data, **{**plain, **wishes})


@pytest.fixture
def data(made: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The study's folder, in a home as it was after the first run: each test may change both."""
    home = tmp_path / "home"
    shutil.copytree(made[0], home)
    copy = tmp_path / "kept"
    shutil.copytree(made[1], copy)
    monkeypatch.setenv("FERSEARCH_HOME", str(home))
    monkeypatch.delenv("FERSEARCH_STORAGE", raising=False)
    notices.clear()
    yield made[1]
    shutil.rmtree(made[1], ignore_errors=True)
    shutil.copytree(copy, made[1])
    notices.clear()


def run(name: str = "s", **how: Any) -> list[str]:
    """Run a study in this process; returns the messages for users."""
    notes = Notes()
    api.run_study(name, in_process=True, observer=notes, **how)
    return notes.notes


def digest_of(name: str = "s") -> str:
    return str(api.show_study(name).data["seen"]["digest"])


def all_rows(name: str = "s") -> Any:
    with open_store(None) as store:
        study = store.study(name)
        return study, store.trials(study.id)


@pytest.fixture
def pulled(data: Path, tmp_path: Path) -> Path:
    return api.pull_checkpoint("s", trial=0, out=tmp_path / "pulled").path

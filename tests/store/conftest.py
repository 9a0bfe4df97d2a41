"""A store in a folder of its own, with one study."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fersearch.space import Choice, Float, Space
from fersearch.store import Store, StudyRow
from fersearch.study import Objective, StudySpec


def make_spec(name: str = "faces") -> StudySpec:
    space = Space({"optimizer": Choice("sgd", "adam"), "momentum": Float(0.5, 0.9, when={"optimizer": ("sgd",)})})
    objectives = (Objective("f1_macro", "max"), Objective("train_seconds", "min"))
    return StudySpec(name, "cnn", "faces", objectives, space)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'home' / 'fersearch.db'}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store.open(url) as opened:
        yield opened


@pytest.fixture
def study(store: Store) -> StudyRow:
    return store.create_study(make_spec())

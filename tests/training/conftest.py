from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fersearch_architectures.cnn import Cnn
from fersearch_architectures.resnet import ResNet18
from fersearch_metrics.averages import F1Macro
from fersearch_metrics.measured import PeakMemory, TrainSeconds
from fersearch_metrics.quality import Accuracy

from fersearch import Choice, Dataset, Int, Labels, Raw, Task
from fersearch.data.arrays import Loaded, prepare
from fersearch.registry import Registry
from fersearch.space import Value
from fersearch.study import Objective
from fersearch.training.request import TrialRequest

CLASSES = ("ring", "bar", "cross", "dot")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def drawn(count: int, seed: int = 0, size: int = 16, channels: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Easy patterns (count, channels, size, size): the class decides the rows that are bright."""
    random = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int64) % len(CLASSES)
    images = random.integers(0, 90, (count, channels, size, size), dtype=np.uint8)
    band = size // len(CLASSES)
    for image, label in zip(images, labels, strict=True):
        image[:, label * band : (label + 1) * band] += 120
    return images, labels


@pytest.fixture
def patterns() -> Callable[..., Loaded]:
    """Makes a small data set in memory: a third of it is for validation."""

    def make(count: int = 48, soft: bool = False, target: str = "majority", **options: Any) -> Loaded:
        images, hard = drawn(count, **options)
        rows = np.arange(count)
        pixels = images / 255
        shares = (0.8 * np.eye(len(CLASSES))[hard] + 0.05).astype(np.float32)
        return Loaded(
            images=images,
            hard=hard,
            soft=shares if soft else None,
            indices={"train": rows[rows % 3 != 2], "valid": rows[rows % 3 == 2]},
            task=Task(CLASSES, images.shape[1], images.shape[2]),
            mean=tuple(pixels.mean((0, 2, 3))),
            std=tuple(pixels.std((0, 2, 3))),
            digest="0" * 64,
            target=target,
            licence="drawn for a test",
        )

    return make


BASE = {
    "epochs": 4,
    "batch_size": 8,
    "optimizer": "sgd",
    "learning_rate": 0.05,
    "momentum": 0.9,
    "nesterov": True,
    "weight_decay": 1e-4,
    "scheduler": "none",
    "dropout": 0.0,
    "augmentation": "none",
    "loss": "cross_entropy",
    "label_smoothing": 0.0,
    "class_weights": "none",
    "target": "majority",
    "freeze": "none",
    "activation": "relu",
    "batch_norm": True,
    "convolutions": 2,
    "width": 1,
}


@pytest.fixture
def base() -> dict[str, Any]:
    """The parameters of a plain trial of `cnn`."""
    return dict(BASE)


class Patterns(Dataset):
    """The drawn patterns as a dataset: a third is for validation."""

    name = "patterns"
    licence = "drawn for a test"
    needs_data = False
    decoding = {"image_size": Int(8, 64, search="16"), "channels": Choice(1, 3, search="1")}

    def files(self, source: Path) -> Sequence[Path]:
        return []

    def read(self, source: Path, options: Mapping[str, Value]) -> Raw:
        images, labels = drawn(48, size=int(options["image_size"]), channels=int(options["channels"]))
        return Raw(48, iter(images), {"label": labels}, CLASSES)

    def label(self, columns: Mapping[str, Any], class_names: Sequence[str], params: Mapping[str, Value]) -> Labels:
        rows = np.arange(len(columns["label"]))
        return Labels(tuple(class_names), np.asarray(columns["label"]), (rows % 3 == 2).astype(np.int8))


@pytest.fixture
def registry() -> Registry:
    """A registry of what the tests of this room use."""
    metrics = {metric.name: metric for metric in (Accuracy(), F1Macro(), TrainSeconds(), PeakMemory())}
    return Registry({"cnn": Cnn(), "resnet18": ResNet18()}, {"patterns": Patterns()}, metrics)


@pytest.fixture
def request_of(tmp_path: Path, base: dict[str, Any]) -> Callable[..., TrialRequest]:
    """Makes a request for a trial of `cnn` on the patterns, with changed parameters and fields."""
    prepared = prepare(Patterns(), None, {}, tmp_path / "prepared")

    def make(changed: Mapping[str, Value] | None = None, **fields: Any) -> TrialRequest:
        defaults = {
            "study_uid": "0" * 32,
            "study": "cnn-patterns",
            "number": 7,
            "attempt": 1,
            "params": {**base, **(changed or {})},
            "architecture": "cnn",
            "dataset": "patterns",
            "prepared": str(prepared.folder),
            "dataset_options": {},
            "objective": Objective("f1_macro", "max"),
            "seed": 5,
            "scratch": str(tmp_path / "scratch"),
            "artifacts": str(tmp_path / "artifacts"),
        }
        return TrialRequest(**{**defaults, **fields})

    return make

"""Whole cards for tests that write checkpoints and ensembles of their own."""

from typing import Any

from fersearch.study import Protocol
from fersearch.training.card import FORMAT

SHARED: dict[str, Any] = {
    "format": FORMAT,
    "class_names": list("abcdefgh"),
    "channels": 1,
    "image_size": 48,
    "dataset": {"name": "faces", "digest": "0" * 64, "options": {}, "target": "majority", "limit": None},
    "licence": "",
    "protocol": Protocol().to_json(),
    "plugins": [],
    "versions": {"fersearch": "0.1.0"},
    "study": "gone",
}


def card(**changed: Any) -> dict[str, Any]:
    """The card of a checkpoint of `cnn`, some of its fields changed."""
    own = {
        "trial": 0,
        "epoch": 1,
        "round": 1,
        "architecture": "cnn",
        "params": {"dropout": 0.1},
        "mean": [0.5],
        "std": [0.25],
        "precision": "float32",
        "seed": 0,
        "weights": None,
        "metrics": {},
    }
    return {**SHARED, **own, **changed}


def ensemble_card(**changed: Any) -> dict[str, Any]:
    """The card of an ensemble without its members, some of its fields changed."""
    own = {"method": "mean", "digest": "0" * 64, "members": [], "stacker": None, "studies": ["gone"], "params": {}}
    return {**SHARED, **own, **changed}

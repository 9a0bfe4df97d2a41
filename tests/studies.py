"""The small study that many tests look at."""

from typing import Any

from fersearch import api

SIZES = {"train": "200", "valid": "120", "test": "120"}
SETTINGS = {"batch_size": "32", "activation": "relu", "convolutions": "1"}


def create(name: str, **options: Any) -> str:
    """Create a study of the plain network on drawn faces, judged by accuracy alone so that one trial is the best."""
    defaults: dict[str, Any] = {
        "trials": 4,
        "epochs": "2",
        "seed": 3,
        "sampler": "random",
        "pruner": "none",
        "objectives": ("accuracy", "parameters", "peak_memory_mb"),
        "dataset_options": SIZES,
        "settings": SETTINGS,
        "keep": "all",
        "memory_format": "contiguous",
    }
    return api.create_study("cnn", "faces", name=name, **{**defaults, **options}).name


def small() -> str:
    """Make and run `small` in the present home: four complete trials of two epochs, with every checkpoint."""
    view = api.run_study(create("small"), slots=2)
    assert view.counts == {"complete": 4}
    return view.name

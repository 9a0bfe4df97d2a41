"""One small real study, run once for all tests of a file that only look at it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fersearch import api

SIZES = {"train": "200", "valid": "120", "test": "120"}
SETTINGS = {"batch_size": "32", "activation": "relu", "convolutions": "1"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FERSEARCH_HOME", str(folder))
        patch.delenv("FERSEARCH_STORAGE", raising=False)
        patch.setenv("FERSEARCH_PLUGINS_DIR", str(folder / "no-plugins"))
        yield folder


@pytest.fixture(scope="module")
def study(home: Path) -> str:
    """A finished study of four trials on drawn faces, judged by accuracy alone so that one trial is the best."""
    spec = api.create_study(
        "cnn",
        "faces",
        name="small",
        trials=4,
        epochs="2",
        seed=3,
        sampler="random",
        pruner="none",
        objectives=("accuracy", "parameters", "peak_memory_mb"),
        dataset_options=SIZES,
        settings=SETTINGS,
        keep="all",
    )
    view = api.run_study(spec.name, slots=2)
    assert view.counts == {"complete": 4}
    return spec.name

"""One small real study for all tests of a file that look at it, in a home of that file's own."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.studies import SETTINGS, SIZES

__all__ = ["SETTINGS", "SIZES"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, warm_fork_server: None) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FERSEARCH_HOME", str(folder))
        patch.delenv("FERSEARCH_STORAGE", raising=False)
        patch.setenv("FERSEARCH_PLUGINS_DIR", str(folder / "no-plugins"))
        yield folder


@pytest.fixture(scope="module")
def study(home: Path, small_home: Path) -> str:
    """The finished study `small`: four trials on drawn faces."""
    assert not (home / "fersearch.db").exists(), "let this fixture come first: it brings its own database"
    shutil.copytree(small_home, home, dirs_exist_ok=True)
    return "small"

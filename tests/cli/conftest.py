"""No test of the command line reads or writes the real home folder."""

import os

import pytest


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home of its own, a fixed width, and no variable of the person who runs the tests."""
    monkeypatch.setenv("FERSEARCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FERSEARCH_PLUGINS_DIR", str(tmp_path / "plugins"))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TZ", "UTC")
    for name in ("FERSEARCH_STORAGE", "FERSEARCH_DEBUG", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    yield tmp_path / "home"
    os.environ.pop("FERSEARCH_DEBUG", None)


@pytest.fixture(autouse=True)
def nothing_noted_before() -> None:
    """Forget what verbs noted in other files of this process."""
    from fersearch.context import notices

    notices.clear()

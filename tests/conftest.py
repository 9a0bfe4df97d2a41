"""For every test: one torch thread, so that two cores are shared fairly, and an empty home."""

import atexit
import fcntl
import gc
import os
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.forkservers import ForkServers
    from tests.preloaded import Preloaded

SPREAD = 2 / 3
"""The share of the run in which the files with slow tests begin."""

settings.register_profile("fersearch", deadline=None)  # a busy machine is no bug
settings.load_profile("fersearch")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # or each of many processes would compile what it imports


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect no garbage while tests are imported, and let nothing of then be walked through afterwards."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """Leave a test process of several at once; in a single one, collect the rest, as libraries of nanobind complain."""
    if "PYTEST_XDIST_WORKER" in os.environ:  # its results are sent; to unload all libraries would take seconds
        atexit._run_exitfuncs()
        os._exit(0)
    gc.unfreeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spread files with slow tests, many of which wait, the longest first, so that others compute meanwhile."""
    marks = ((item.path, item.get_closest_marker("slow")) for item in items)
    seconds = {path: mark.kwargs.get("seconds", 10) for path, mark in marks if mark}
    slow = sorted(seconds, key=lambda path: -seconds[path])
    others = dict.fromkeys(item.path for item in items if item.path not in slow)
    step = len(others) * SPREAD / max(1, len(slow))
    places = {path: float(place) for place, path in enumerate(others)}
    places |= {path: place * step - 0.5 for place, path in enumerate(slow)}
    items.sort(key=lambda item: places[item.path])


@pytest.fixture(scope="session", autouse=True)
def nobodys_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep tests out of the user's own database, data and plugins."""
    folder = tmp_path_factory.mktemp("nobody")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FERSEARCH_HOME", str(folder))
        patch.delenv("FERSEARCH_STORAGE", raising=False)
        patch.delenv("FERSEARCH_OBSERVE", raising=False)
        patch.setenv("FERSEARCH_PLUGINS_DIR", str(folder / "no-plugins"))
        yield


@pytest.fixture(scope="session", autouse=True)
def nobody_else(nobodys_home: None) -> Iterator[None]:
    """Leave out what other processes take of the CPU: the other test process would be noted in every study."""
    from fersearch.engines import cpu_load

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cpu_load, "cpu_times", lambda: None)
        yield


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the test processes of a run share."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(scope="session")
def preloaded(nobodys_home: None, run_folder: Path) -> Iterator["Preloaded"]:
    """What processes are forked from that need no interpreter of their own."""
    from tests.preloaded import Preloaded  # here, for it imports the engines

    preloaded = Preloaded(run_folder)
    yield preloaded
    preloaded.end()


@pytest.fixture(scope="session")
def fork_servers(preloaded: "Preloaded") -> "ForkServers":
    """Forks fork servers, for rooms that only look at what comes of a study."""
    from tests.forkservers import ForkServers

    return ForkServers(preloaded)


@pytest.fixture(scope="module")
def warm_fork_server(fork_servers: "ForkServers") -> Iterator[None]:
    """Let the studies that a file runs in this process have their fork servers forked."""
    with fork_servers.shared():
        yield


@pytest.fixture(scope="session")
def small_home(run_folder: Path, fork_servers: "ForkServers") -> Path:
    """A home with the finished study `small`, run once a run. To read only: change a copy (`home_with_study`)."""
    from tests.studies import small

    folder, done = run_folder / "small" / "home", run_folder / "small" / "done"
    folder.mkdir(parents=True, exist_ok=True)
    with (run_folder / "small" / "lock").open("w") as lock, pytest.MonkeyPatch.context() as patch:
        fcntl.flock(lock, fcntl.LOCK_EX)
        patch.setenv("FERSEARCH_HOME", str(folder))
        if not done.exists():
            with fork_servers.shared():
                small()
            done.touch()
    return folder


@pytest.fixture(scope="session")
def pulled(small_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pulled checkpoint of trial 0 of `small`: a folder to read only."""
    from fersearch import api

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FERSEARCH_HOME", str(small_home))
        return api.pull_checkpoint("small", trial=0, out=tmp_path_factory.mktemp("pulled") / "small").path


@pytest.fixture
def home_with_study(small_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the test's own that holds the finished study `small`."""
    home = shutil.copytree(small_home, tmp_path / "home-with-study")
    monkeypatch.setenv("FERSEARCH_HOME", str(home))
    return home

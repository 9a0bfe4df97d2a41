"""For every test: one torch thread, so that two cores are shared fairly, and a home that is nobody's."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

settings.register_profile("fersearch", deadline=None)  # a busy machine is no bug
settings.load_profile("fersearch")
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let files with slow tests begin, so that in the end no process waits for the one that has the last of them."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session", autouse=True)
def nobodys_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep tests out of the user's own database, data and plugins."""
    folder = tmp_path_factory.mktemp("nobody")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FERSEARCH_HOME", str(folder))
        patch.delenv("FERSEARCH_STORAGE", raising=False)
        patch.setenv("FERSEARCH_PLUGINS_DIR", str(folder / "no-plugins"))
        yield

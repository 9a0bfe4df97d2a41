"""Whether everything that a study needs is in place, each thing with what to do about it."""

from collections.abc import Iterator

from fersearch.api import checks_home, checks_machine
from fersearch.api.checks import Check, guarded
from fersearch.errors import FersearchError
from fersearch.store.checkup import Checkup


def diagnose(*, deep: bool = False, storage: str | None = None) -> list[Check]:
    """Look at the machine, the packages, the database, the folder of fersearch, plugins and datasets.

    Nothing is changed: a database that is not there is not made, an old one is not brought up to date.

    Args:
        deep: also import torch and compute on each device, which takes seconds.
    """
    return list(_checks(deep, storage))


def _checks(deep: bool, storage: str | None) -> Iterator[Check]:
    yield guarded("host", checks_machine.host)
    yield guarded("packages", checks_machine.python)
    yield guarded("devices", checks_machine.device)
    if deep:
        yield guarded("torch", checks_machine.torch)
    yield guarded("face detector", checks_machine.face_detector)
    yield guarded("home", checks_home.folder)
    yield from _kept(storage)
    yield from _components()


def _kept(storage: str | None) -> Iterator[Check]:
    """The database; then, if it could be read, the checkpoints that it names."""
    seen: list[Checkup] = []

    def database() -> Check:
        check, found = checks_home.database(storage)
        seen.append(found)
        return check

    yield guarded("storage", database)
    for found in seen:
        yield guarded("checkpoints", lambda found=found: checks_home.checkpoints(found))  # type: ignore[misc]


def _components() -> Iterator[Check]:
    from fersearch import registry
    from fersearch.plugins import plugin_folder

    try:
        loaded = registry.load((), plugin_folder())
    except FersearchError as error:
        yield Check("plugins", "fail", error.message, error.hint)
        return
    yield guarded("plugins", lambda: checks_home.plugins(loaded))
    yield guarded("datasets", lambda: checks_home.datasets(loaded))

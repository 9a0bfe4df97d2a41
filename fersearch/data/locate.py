"""Where a dataset is: the path given now, the one given last time, or the folder of its name in the home."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from fersearch import home
from fersearch.components import Dataset
from fersearch.data.folders import unreadable
from fersearch.errors import DataError
from fersearch.files import write_atomic


def locate(dataset: Dataset, path: str | Path | None = None) -> Path | None:
    """Return the folder or file of a dataset; None for one that needs none.

    Raises:
        DataError: the path given does not exist, or none was given and none is known.
    """
    if not dataset.needs_data:
        return None
    if path is not None:
        return _existing(Path(path).expanduser().absolute())
    usual = home.home() / "data" / dataset.name
    if dataset.named_by_path and not usual.exists():
        raise DataError(
            f"{dataset.name} is a layout that many image sets share",
            f"give the folder with --data: {dataset.expected}",
        )
    last = None if dataset.named_by_path else remembered().get(dataset.name)
    if last is not None and (last.exists() or not usual.exists()):
        return last
    if usual.exists():
        return usual
    expected = f"expected {dataset.expected};\n  " if dataset.expected else ""
    raise DataError(
        f"no {dataset.name} images found in {usual}",
        f"{expected}give the folder with --data, or try the built-in drawings now: --dataset faces",
    )


def look_for(dataset: Dataset, recorded: str | Path | None, has_copy: Callable[[Path], bool]) -> Path | None:
    """Return the path at which to look for a study's data: the recorded one or, if that is gone, the current one by
    name.

    `has_copy` returns whether a usable copy made from a missing path is still here. Whether the data is the same must
    be checked by digests.

    Raises:
        DataError: nothing is known, or it is gone.
    """
    if recorded is None or not dataset.needs_data:
        return locate(dataset)
    path = Path(recorded)
    if path.exists() or has_copy(path):
        return path
    with suppress(DataError):
        if (located := locate(dataset)) is not None and located.exists():
            return located
    raise DataError(f"{path}, where the data was before, does not exist", "give the folder that holds it: --data PATH")


def remember(dataset: Dataset, path: Path) -> None:
    """Remember a dataset's path, so that its name suffices from now on, unless the name alone is ambiguous."""
    if dataset.named_by_path:
        return
    known = {**remembered(), dataset.name: path.absolute()}
    text = json.dumps({key: str(value) for key, value in sorted(known.items())}, indent=1)
    write_atomic(_list(), text.encode())


def remembered() -> dict[str, Path]:
    """Return the remembered path of each dataset by name."""
    try:
        data = json.loads(_list().read_text(encoding="utf-8-sig"))
        return {str(name): Path(path) for name, path in data.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise DataError(
            f"{_list()} cannot be read: {error}", "remove it, and give datasets with --data again"
        ) from None


def _existing(path: Path) -> Path:
    try:
        path.stat()
    except OSError as error:
        raise unreadable(path, error) from None
    return path


def _list() -> Path:
    return home.home() / "datasets.json"

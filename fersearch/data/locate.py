"""Where a dataset is: the path given now, the one given last time, or the folder of its name in the home."""

import json
from pathlib import Path

from fersearch import home
from fersearch.components import Dataset
from fersearch.data.folders import unreadable
from fersearch.errors import DataError
from fersearch.files import write_atomic


def locate(dataset: Dataset, given: str | Path | None = None) -> Path | None:
    """The folder or file of a dataset; None for one that needs none.

    Raises:
        DataError: the path given does not exist, or none was given and none is known.
    """
    if not dataset.needs_data:
        return None
    if given is not None:
        return _existing(Path(given).expanduser().absolute())
    last = remembered().get(dataset.name)
    usual = home.home() / "data" / dataset.name
    if last is not None and (last.exists() or not usual.exists()):
        return last
    if usual.exists():
        return usual
    expected = f"expected {dataset.expected};\n  " if dataset.expected else ""
    raise DataError(
        f"no {dataset.name} images found in {usual}",
        f"{expected}give the folder with --data, or try the built-in drawings now: --dataset faces",
    )


def remember(name: str, path: Path) -> None:
    """Keep a dataset's path, so that it is found again by name alone."""
    known = {**remembered(), name: path.absolute()}
    text = json.dumps({key: str(value) for key, value in sorted(known.items())}, indent=1)
    write_atomic(_list(), text.encode())


def remembered() -> dict[str, Path]:
    """The kept path of each dataset by name."""
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

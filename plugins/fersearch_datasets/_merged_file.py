"""The TOML file of a merged dataset: a scheme, and a table [[part]] for each dataset. All mistakes are reported at
once."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fersearch import DataError, Dataset, FersearchError
from fersearch.data import options as dataset_options
from fersearch.data.labels import known, plain
from fersearch.data.locate import locate
from fersearch.errors import lookup, suggestion
from fersearch.space import Value, written
from fersearch_datasets._schemes import NAMES

KEYS = ("scheme", "part")
PART_KEYS = ("dataset", "data", "name", "options", "labels")


@dataclass(frozen=True)
class Part:
    """One dataset of a merged one, under the name that its images keep as their source.

    `labels` maps its labels (as `key_of` writes them) to classes; "" drops one.
    """

    key: str
    name: str
    dataset: Dataset
    path: Path | None
    options: Mapping[str, Value]
    labels: Mapping[str, str]


@dataclass(frozen=True)
class MergedFile:
    """What a file asks for: the scheme ("" if it names none) and the parts in order."""

    path: Path
    scheme: str
    parts: tuple[Part, ...]


def key_of(label: str) -> str:
    """Return the form in which a label is compared: its canonical name, else itself without case, blanks, underscores
    and hyphens."""
    return known(label) or plain(label)


class Mistakes:
    """The mistakes of one file, each with its key."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.messages: list[str] = []

    @contextmanager
    def at(self, key: str) -> Iterator[None]:
        """Record an error that is raised within the block, and continue after it."""
        try:
            yield
        except FersearchError as error:
            hint = f"; {' '.join(error.hint.split())}" if error.hint else ""
            self.messages.append(f"{key}: {error.message}{hint}")

    def keys(self, key: str, table: Mapping[str, Any], offered: Sequence[str]) -> None:
        """Note every key of a table that is not offered."""
        for name in table:
            if name not in offered:
                self.messages.append(f"{key}{name}: unknown key; {suggestion(name, offered)}")

    def settle(self) -> None:
        """Raise DataError with all mistakes, if there are any."""
        if self.messages:
            count = "1 mistake" if len(self.messages) == 1 else f"{len(self.messages)} mistakes"
            raise DataError(f"{self.path}: {count}", "\n  ".join(self.messages))


def read(path: Path, datasets: Mapping[str, Dataset]) -> MergedFile:
    """Read a file and check it against the available datasets.

    Raises:
        DataError: it is not TOML, or is invalid; the hint has every mistake with its key.
    """
    text = _toml(path)
    mistakes = Mistakes(path)
    mistakes.keys("", text, KEYS)
    scheme = text.get("scheme", "")
    if scheme != "":
        with mistakes.at("scheme"):
            lookup("scheme", str(scheme), dict.fromkeys(NAMES))
    tables = text.get("part")
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        mistakes.messages.append('part: none; write a table [[part]] with dataset = "..." for each dataset')
        tables = []
    parts = [_part(f"part[{number}]", table, path, datasets, mistakes) for number, table in enumerate(tables, 1)]
    _check_names([part for part in parts if part], mistakes)
    mistakes.settle()
    return MergedFile(path, str(scheme), tuple(part for part in parts if part))


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}", "give a TOML file that can be read") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"{path} is not TOML: {error}", "expected a scheme and tables [[part]]") from None


def _part(
    key: str, table: Mapping[str, Any], path: Path, datasets: Mapping[str, Dataset], mistakes: Mistakes
) -> Part | None:
    mistakes.keys(f"{key}.", table, PART_KEYS)
    with mistakes.at(f"{key}.dataset"):
        if not isinstance(table.get("dataset"), str):
            raise DataError("missing", 'write dataset = "..." as `fersearch dataset list` names it')
        dataset = lookup("dataset", table["dataset"], datasets)
        before = len(mistakes.messages)
        where = _data(key, table, path, dataset, mistakes)
        options = _options(key, table, dataset, mistakes)
        labels = _labels(key, table, mistakes)
        name = str(table.get("name", dataset.name))
        return Part(key, name, dataset, where, options, labels) if len(mistakes.messages) == before else None
    return None


def _data(key: str, table: Mapping[str, Any], path: Path, dataset: Dataset, mistakes: Mistakes) -> Path | None:
    """Return the part's folder or file: given relative to the TOML file, or found by the dataset's name."""
    with mistakes.at(f"{key}.data"):
        place = table.get("data")
        if place is not None and not isinstance(place, str):
            raise DataError(f"{place!r} is not a path", "write it as a string, relative to this file")
        if place is None and dataset.named_by_path:
            raise DataError(f"missing: the name {dataset.name} does not say where it is", 'write data = "PATH"')
        return locate(dataset, None if place is None else path.parent / Path(place).expanduser())
    return None


def _options(key: str, table: Mapping[str, Any], dataset: Dataset, mistakes: Mistakes) -> dict[str, Value]:
    options = table.get("options", {})
    if not isinstance(options, dict):
        mistakes.messages.append(f'{key}.options: {options!r} is not a table; write options = {{ name = "value" }}')
        return {}
    chosen: dict[str, Value] = {}
    for name, value in options.items():
        with mistakes.at(f"{key}.options.{name}"):
            if name in Dataset.decoding:
                raise DataError("is the same for all parts", f"give it for merged: --option {name}=...")
            if not isinstance(value, bool | int | float | str):
                raise DataError(f"{value!r} is not a single value", "write a number, a string, true or false")
            chosen |= dataset_options.parse(dataset, {name: written(value)})
    with mistakes.at(f"{key}.options"):
        dataset_options.check(dataset, chosen)
    return chosen


def _labels(key: str, table: Mapping[str, Any], mistakes: Mistakes) -> dict[str, str]:
    mapping = table.get("labels", {})
    if not isinstance(mapping, dict) or not all(isinstance(class_name, str) for class_name in mapping.values()):
        mistakes.messages.append(f'{key}.labels: not a table of strings; write labels = {{ amenability = "engaged" }}')
        return {}
    return {key_of(label): known(class_name) or class_name.strip() for label, class_name in mapping.items()}


def _check_names(parts: Sequence[Part], mistakes: Mistakes) -> None:
    names = [part.name for part in parts]
    for number, part in enumerate(parts):
        if not part.name or any(c.isspace() or c in ":/" for c in part.name):
            mistakes.messages.append(
                f"{part.key}.name: '{part.name}' is not a valid name; use letters, digits, '.', '_' and '-'"
            )
        elif part.name in names[:number]:
            mistakes.messages.append(
                f"{part.key}.name: a second part is called '{part.name}'; write name = \"...\" to distinguish them"
            )

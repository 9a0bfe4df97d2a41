"""Collect the mistakes of a request, so that all are reported at once."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from fersearch.errors import FersearchError, StudyFileError, UnknownName, UsageError
from fersearch.study_options import in_table

KEYS = ("protocol", *(option.place[1] for option in in_table("")))
"""The top-level keys of a study file: those of options outside tables, and the table `protocol`."""


class Mistakes:
    """Collect mistakes, each with the key or flag it belongs to."""

    def __init__(self, lines: Sequence[str] = ()) -> None:
        self.errors: list[tuple[str, FersearchError]] = []
        self.lines = list(lines)

    @contextmanager
    def at(self, key: str) -> Iterator[None]:
        """Record a UsageError of the block as a mistake at `key` and continue."""
        try:
            yield
        except UsageError as error:
            self.add(key, error)

    def add(self, key: str, error: FersearchError) -> None:
        """Record an error as a mistake at `key`."""
        self.errors.append((key, error))

    def settle(self, file: Path | None = None) -> None:
        """Raise the collected mistakes, if any: a single error unchanged, several or a file's as one error."""
        lines = [*self.lines, *(mistake(key, error) for key, error in self.errors)]
        if file is not None and lines:
            raise StudyFileError(str(file), lines)
        if len(self.errors) == 1:
            raise self.errors[0][1]
        if self.errors:
            raise UsageError(f"{len(lines)} mistakes", "\n  ".join(lines))


def mistake(key: str, error: FersearchError) -> str:
    """Return one line of a StudyFileError for an error that only the registry can detect.

    `key` is its place in the file: `model`, `dataset`, `space.momentum`, `dataset.options.classes`.
    """
    is_setting = key.startswith("space.")
    name = key.removeprefix("space.") if is_setting else key.rpartition(".")[2]
    if is_setting and name in KEYS and isinstance(error, UnknownName):
        return f"{key}: '{name}' is a key of the study; write it above [space]"
    message = error.message.removeprefix(f"{name}: ")
    return f"{key}: {message}; {error.hint}" if error.hint else f"{key}: {message}"

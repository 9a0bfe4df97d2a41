"""The text of a study file as plain data: TOML that the rest can use, or the reason why not."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fersearch.errors import StudyFileError, UsageError, suggestion

DEEPEST = 8
TOO_DEEP = "nested too deeply; a study file has tables in tables and lists of values, no more"


def parse(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        UsageError: there is no such file, or it cannot be read.
        StudyFileError: it is not TOML.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise UsageError(f"no study file {path}", _files_beside(path)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {path}: {error}", "give a TOML file; studies/README.md explains it") from None
    except ValueError as error:  # TOMLDecodeError, or a number that Python refuses to read
        raise StudyFileError(str(path), [f"not TOML: {error}"]) from None
    except RecursionError:
        raise StudyFileError(str(path), [TOO_DEEP]) from None
    return data


def _files_beside(path: Path) -> str:
    """Return the study files near a missing one, or how to do without."""
    files = path.parent.glob("*.toml") if path.parent.is_dir() else ()
    if names := [file.name for file in files if file.name != "pyproject.toml"]:
        return suggestion(path.name, names)
    return "without a file: fersearch study create --model cnn --dataset faces; studies/README.md explains study files"


def mistakes_of_form(data: Mapping[str, Any]) -> list[str]:
    """Return the mistakes that TOML allows: null characters, which no path has, and deep nesting."""
    mistakes = []
    waiting: list[tuple[str, Any, int]] = [("", data, 0)]
    while waiting:
        place, value, depth = waiting.pop()
        if depth > DEEPEST:
            return [f"{place.partition('.')[0]}: {TOO_DEEP}"]
        if isinstance(value, dict):
            waiting += [(f"{place}.{key}".lstrip("."), inner, depth + 1) for key, inner in value.items()]
        elif isinstance(value, list):
            waiting += [(place, inner, depth + 1) for inner in value]
        elif isinstance(value, str) and "\0" in value:
            mistakes.append(f"{place}: holds a null character")
    return sorted(mistakes)

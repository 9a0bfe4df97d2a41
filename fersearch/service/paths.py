"""Check paths in requests: only below the service's data roots, and no code at all."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fersearch.service.problems import ProblemError

NAMED = ("data", "weights")


def check_study(
    body: Mapping[str, Any],
    roots: Sequence[Path],
    others: Sequence[str] = (),
    detail: str = "the study cannot be created",
) -> None:
    """Refuse a study that names code or a path outside the roots, or that has `others` as mistakes.

    Raises:
        ProblemError: 422 with all mistakes; `detail` is its summary.
    """
    mistakes = list(others)
    if "plugins" in body:
        mistakes.append("plugins: code is not taken from a request; install the plugin where the service runs")
    mistakes += [_mistake(key, text, roots) for key, text in _paths(body) if not _is_below(text, roots)]
    if mistakes:
        raise ProblemError(422, detail, "\n".join(mistakes), tuple(mistakes))


def _paths(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the values that are or may be paths, each after its key."""
    for name in NAMED:
        if isinstance(body.get(name), str) and (name == "data" or _may_be_path(body[name])):
            yield name, body[name]
    sections = body.get("dataset")
    for section in sections if isinstance(sections, list) else [sections]:
        if isinstance(section, Mapping):
            if isinstance(section.get("data"), str):
                yield "dataset.data", section["data"]
            options = section.get("options")
            for name, value in options.items() if isinstance(options, Mapping) else ():
                yield from ((f"dataset.options.{name}", text) for text in _texts(value) if _may_be_path(text))
    for text in _texts(body.get("unseen")):
        _, equals, path = text.partition("=")
        if equals:
            yield "unseen", path


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from value.split(",")
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _may_be_path(text: str) -> bool:
    """Return whether a text looks like a path, or names an existing file."""
    try:
        return os.sep in text or text.startswith((".", "~")) or "://" in text or Path(text).exists()
    except (OSError, ValueError):
        return True


def _is_below(text: str, roots: Sequence[Path]) -> bool:
    if "://" in text:
        return False
    try:
        place = Path(text).expanduser().resolve()
        return any(place.is_relative_to(root.expanduser().resolve()) for root in roots)
    except (OSError, ValueError, RuntimeError):
        return False


def _mistake(key: str, text: str, roots: Sequence[Path]) -> str:
    below = " or ".join(map(str, roots)) or "none: start the service with --data-root DIR"
    return f"{key}: '{text[:200]}' is not below a data root; roots: {below}"

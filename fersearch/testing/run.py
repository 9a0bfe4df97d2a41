"""Runs a contract suite without pytest: what `plugin check` does to a file."""

import inspect
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from fersearch.errors import lookup

SUITES = {
    "architecture": "ArchitectureSuite",
    "dataset": "DatasetSuite",
    "metric": "MetricSuite",
    "observer": "ObserverSuite",
}


def run_suite(kind: str, component: Any, source: Path | None = None) -> tuple[bool, list[str]]:
    """Run every test of a component's suite; return whether all passed, and a line for each.

    `source` is the path of a dataset's files; without it, tests that need them are skipped.
    """
    from fersearch import testing

    attributes: dict[str, Any] = {kind: component}
    if source is not None:
        attributes["make_source"] = lambda _self, _folder: source
    suite = type("Checked", (getattr(testing, lookup("kind", kind, SUITES)),), attributes)
    lines, passed = [], True
    for name, test in _tests(suite):
        if kind == "dataset" and component.needs_data and source is None and _wants_folder(test):
            lines.append(f"skipped  {_sentence(name)} (give its files with --data)")
            continue
        failure = _run(suite(), test)
        passed &= not failure
        lines.append(f"failed   {_sentence(name)}: {failure}" if failure else f"passed   {_sentence(name)}")
    return passed, lines


def _tests(suite: type) -> Iterator[tuple[str, Callable[..., None]]]:
    seen: set[str] = set()
    for owner in reversed(suite.__mro__):
        for name in vars(owner):
            if name.startswith("test_") and name not in seen:
                seen.add(name)
                yield name, getattr(suite, name)


def _wants_folder(test: Callable[..., None]) -> bool:
    return "tmp_path" in inspect.signature(test).parameters


def _run(instance: object, test: Callable[..., None]) -> str:
    """Run one test; return its failure in one line, empty if it passed."""
    try:
        if _wants_folder(test):
            with tempfile.TemporaryDirectory() as folder:
                test(instance, Path(folder))
        else:
            test(instance)
    except Exception as error:
        return _first_line(error)
    return ""


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    if text:
        return f"{text[0]}" if isinstance(error, AssertionError) else f"{type(error).__name__}: {text[0]}"
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}: {frame.line}"


def _sentence(name: str) -> str:
    return name.removeprefix("test_").replace("_", " ")

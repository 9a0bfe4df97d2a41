"""Convert the keywords of `create_study` to study-file data, which a service takes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fersearch.errors import StudyFileError, UsageError
from fersearch.study_options import BY_NAME

OPTIONS_OF_DATASET = ("image_size", "channels", "target")


def body_of(keywords: Mapping[str, Any], file: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return a study file's data, overridden by keywords.

    Raises:
        UsageError: a keyword only applies to this machine.
    """
    body = {name: dict(value) if isinstance(value, Mapping) else value for name, value in (file or {}).items()}
    for name, value in keywords.items():
        if value in (None, (), [], {}) or name == "progress":
            continue
        if name == "plugins":
            raise UsageError(
                "--plugin was given with --server, which takes no code", "install it where the service runs"
            )
        _put(body, name, value)
    return body


def body_of_file(path: Path, keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a study file of this machine holds, with keywords over it; several studies are named after it.

    Raises:
        UsageError: it cannot be read, or a keyword is about this machine.
        StudyFileError: it is not TOML.
    """
    from fersearch.studyfile.parsing import parse

    body = body_of(keywords, parse(path))
    several = [body.get("dataset"), None if body.get("one_study") else body.get("model")]
    if any(isinstance(one, list) and len(one) > 1 for one in several):
        body.setdefault("name", path.stem)
    return body


@contextmanager
def mistakes_named_after(path: Path) -> Iterator[None]:
    """Attribute the mistakes that a service finds in a study file to the local file."""
    try:
        yield
    except StudyFileError as error:
        raise StudyFileError(str(path), error.mistakes) from None


def _put(body: dict[str, Any], name: str, value: Any) -> None:
    if name == "observe":
        body["observe"] = list(value)
        return
    if name == "settings":
        body["space"] = {**body.get("space", {}), **value}
        return
    if name in ("dataset", "dataset_options", "data", *OPTIONS_OF_DATASET):
        _put_dataset(body, name, value)
        return
    table, key = BY_NAME[name].place
    place = body.setdefault(table, {}) if table else body
    place[key] = list(value) if isinstance(value, tuple) else value


def _put_dataset(body: dict[str, Any], name: str, value: Any) -> None:
    """Set a dataset's name, folder or option; another name replaces the file's dataset entirely."""
    section = body.get("dataset", {})
    section = {"name": section} if isinstance(section, str) else dict(section) if isinstance(section, Mapping) else {}
    if name == "dataset":
        section = {"name": value} if section.get("name") != value else section
        body.pop("data", None)
    elif name == "data":
        body.pop("data", None)
        section["data"] = str(value)
    else:
        more = value if name == "dataset_options" else {name: value}
        section["options"] = {**section.get("options", {}), **more}
    body["dataset"] = section

"""Read a study file: TOML in, the keywords of `api.create_study` out, all mistakes of a file at once.

It knows the file's shape and not the plugins' names. What only the registry can judge (an unknown
parameter, a value out of range) is checked by `planning.mistakes`. Paths in the
file are relative to it.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from fersearch.errors import StudyFileError, UsageError, suggestion
from fersearch.recipe import OPTIMISATION, REGULARISATION
from fersearch.study_schema import SECTIONS, StudySection, shown

DEEPEST = 8
TOO_DEEP = "nested too deeply; a study file has tables in tables and lists of values, no more"


@dataclass(frozen=True)
class StudyFile:
    """A study file that was read.

    `options` are the keywords of `api.create_study` that all its studies share, `models` and `datasets` (each its
    keywords) what it makes a study of each of.
    """

    path: Path
    options: Mapping[str, Any]
    models: tuple[str, ...] = ()
    datasets: tuple[Mapping[str, Any], ...] = ()
    plugins: tuple[Path, ...] = ()

    def studies(self, flags: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the options of each study, with every flag that was given over them; settings one by one.

        A flag for the model or the dataset goes before all that the file lists, and another dataset leaves the
        file's data folders and dataset options behind, which are not its own. Several studies are called
        `NAME/MODEL`, `NAME/DATASET` or `NAME/MODEL/DATASET`, by what there are several of.
        """
        models: Sequence[str | None] = [flags["model"]] if flags.get("model") else self.models or [None]
        datasets = self._datasets(flags.get("dataset"))
        studies = []
        for model in models:
            for dataset in datasets:
                kept = merged({**self.options, **dataset, **({"model": model} if model else {})}, flags)
                parts = [model] if len(models) > 1 else []
                parts += [dataset["dataset"]] if len(datasets) > 1 else []
                if parts:
                    kept["name"] = "/".join(map(str, [kept.get("name") or self.path.stem, *parts]))
                studies.append(kept)
        return studies

    def _datasets(self, given: str | None) -> Sequence[Mapping[str, Any]]:
        if given is None:
            return self.datasets or [{}]
        return [dataset for dataset in self.datasets if dataset.get("dataset") == given][:1] or [{}]


def merged(options: Mapping[str, Any], flags: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with flags over them."""
    kept = dict(options)
    for name, value in flags.items():
        if isinstance(value, Mapping):
            kept[name] = {**kept.get(name, {}), **value}
        elif value is not None and value != () and value != []:
            kept[name] = value
    if "epochs" in flags.get("settings", {}) and flags.get("epochs") is None:
        kept.pop("epochs", None)
    return {name: value for name, value in kept.items() if value != {}}


def read(path: Path) -> tuple[StudyFile, list[str]]:
    """Read a study file; return what is sound in it, and its mistakes, each with its key.

    Raises:
        UsageError: there is no such file, or it cannot be read.
        StudyFileError: it is not TOML.
    """
    data = _parsed(path)
    mistakes = _clashes(data)
    try:
        study = StudySection.model_validate(data)
    except ValidationError as error:
        problems: list[dict[str, Any]] = [
            {**problem, "loc": _written(data, problem["loc"])} for problem in error.errors(include_url=False)
        ]
        mistakes += map(_line, problems)
        for problem in problems:
            _drop(data, problem["loc"])
        study = StudySection.model_validate(data)
    read, folder = study.model_dump(), path.parent
    file = StudyFile(
        path,
        _options(read),
        models=tuple(read["model"] or ()),
        datasets=tuple(_dataset(section, read["data"], folder) for section in read["dataset"] or [{}]),
        plugins=tuple(_place(folder, name) for name in read["plugins"] or ()),
    )
    return file, mistakes


def _written(data: Mapping[str, Any], place: Sequence[Any]) -> tuple[Any, ...]:
    """Return where a mistake stands in the file, which may write one thing where a list is read."""
    one = len(place) > 1 and isinstance(place[1], int) and not isinstance(data.get(place[0]), list)
    return (place[0], *place[2:]) if one else tuple(place)


def _drop(data: Any, place: Sequence[Any]) -> None:
    """Remove the smallest table entry that holds a mistake."""
    for key in place[:-1]:
        if not isinstance(data.get(key), dict):
            data.pop(key, None)
            return
        data = data[key]
    data.pop(place[-1], None)


def _place(folder: Path, name: str) -> Path:
    return folder / Path(name).expanduser()


def _files_beside(path: Path) -> str:
    """Return which study files lie where one was looked for, or how to do without."""
    files = path.parent.glob("*.toml") if path.parent.is_dir() else ()
    if names := [file.name for file in files if file.name != "pyproject.toml"]:
        return suggestion(path.name, names)
    return "without a file: fersearch study create --model cnn --dataset faces; studies/README.md explains study files"


def _parsed(path: Path) -> dict[str, Any]:
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
    if mistakes := _unusable(data):
        raise StudyFileError(str(path), mistakes)
    return data


def _unusable(data: Mapping[str, Any]) -> list[str]:
    """Return what TOML allows and nothing here can use: null characters, which no path has, and deep nesting."""
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


def _clashes(data: Mapping[str, Any]) -> list[str]:
    """Return the keys that say one thing twice."""
    mistakes = []
    dataset, space = data.get("dataset"), data.get("space")
    if "data" in data and isinstance(dataset, dict) and "data" in dataset:
        mistakes.append("data: given twice, also as dataset.data; keep one")
    if "data" in data and isinstance(dataset, list) and len(dataset) > 1:
        mistakes.append("data: one folder for several datasets; write it into each [[dataset]]")
    protocol = data.get("protocol")
    if isinstance(protocol, dict) and {"seed", "split_seed"} <= set(protocol):
        mistakes.append("protocol.seed: given twice, also as protocol.split_seed; keep split_seed")
    if "epochs" in data and isinstance(space, dict) and "epochs" in space:
        mistakes.append("epochs: given twice, also as space.epochs; keep one")
    return mistakes


def _options(study: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keywords that all studies of a file share."""
    apart = ("model", "dataset", "space", "protocol", "data", "plugins")
    given = {name: value for name, value in study.items() if name not in apart}
    protocol = dict(study["protocol"])
    seed, ratios = protocol.pop("seed"), protocol.pop("ratios")
    given |= protocol | {"ratios": tuple(ratios) if ratios else None, "settings": study["space"] or None}
    given["split_seed"] = seed if protocol["split_seed"] is None else protocol["split_seed"]
    return {name: value for name, value in given.items() if value is not None}


def _dataset(section: Mapping[str, Any], data: str | None, folder: Path) -> dict[str, Any]:
    """Return the keywords of one dataset."""
    place = section.get("data") or data
    given: dict[str, Any] = {"dataset": section.get("name"), "dataset_options": section.get("options") or None}
    given["data"] = _place(folder, place) if place else None
    return {name: value for name, value in given.items() if value is not None}


def _line(problem: Mapping[str, Any]) -> str:
    """Return one of pydantic's errors as `key: what came; what is offered`."""
    place = [str(part) for part in problem["loc"]]
    key, kind, came, context = ".".join(place), problem["type"], problem["input"], problem.get("ctx", {})
    if kind == "extra_forbidden":
        return f"{key}: {_unknown(place)}"
    if kind == "value_error":
        return f"{key}: {context['error']}"
    if kind == "literal_error":
        offered = context["expected"].replace("'", "").replace(" or ", ", ")
        near = suggestion(str(came), offered.split(", ")).replace("known:", "offered:")
        return f"{key}: {shown(came)} is not offered; {near}"
    return f"{key}: {shown(came)} {_expected(kind, context, problem['msg'])}"


def _unknown(place: Sequence[str]) -> str:
    parent, name = ".".join(part for part in place[:-1] if not part.isdigit()), place[-1]
    if not parent and name in {**OPTIMISATION, **REGULARISATION}:
        return "a parameter of the search space; write it under [space]"
    return f"unknown key; {suggestion(name, SECTIONS[parent].model_fields)}"


def _expected(kind: str, context: Mapping[str, Any], fallback: str) -> str:
    problems = {
        "int_type": "is not a whole number",
        "int_from_float": "is not a whole number",
        "float_type": "is not a number",
        "string_type": "is not text; put it in quotes",
        "list_type": "is not a list",
        "dict_type": "is not a table",
        "model_type": "is not a table",
        "greater_than": f"is not above {context.get('gt', 0):g}",
        "greater_than_equal": f"is below {context.get('ge', 0):g}",
        "less_than_equal": f"is above {context.get('le', 0):g}",
        "too_short": f"needs {context.get('min_length')} values",
        "too_long": f"has more than {context.get('max_length')} values",
    }
    return problems.get(kind) or f"cannot be used: {fallback[:1].lower()}{fallback[1:]}"

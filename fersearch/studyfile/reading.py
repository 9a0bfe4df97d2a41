"""Read a study file: TOML in, the keywords of `api.create_study` out, all mistakes of a file at once.

It knows the file's shape and not the plugins' names. What only the registry can judge (an unknown
parameter, a value out of range) is checked by `planning.mistakes`. Paths in the
file are relative to it.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fersearch.errors import StudyFileError
from fersearch.studyfile.parsing import mistakes_of_form, parse
from fersearch.studyfile.validation import validate


@dataclass(frozen=True)
class StudyFile:
    """A parsed study file.

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
        `NAME/MODEL`, `NAME/DATASET` or `NAME/MODEL/DATASET`, by what there are several of. With `one_study` all
        models stand in one.
        """
        models: Sequence[str | None] = [flags["model"]] if flags.get("model") else self.models or [None]
        if self.models and not flags.get("model") and (flags.get("one_study") or self.options.get("one_study")):
            models = [",".join(self.models)]
        datasets = self._datasets(flags.get("dataset"))
        studies = []
        for model in models:
            for dataset in datasets:
                options = merged({**self.options, **dataset, **({"model": model} if model else {})}, flags)
                parts = [model] if len(models) > 1 else []
                parts += [dataset["dataset"]] if len(datasets) > 1 else []
                if parts:
                    options["name"] = "/".join(map(str, [options.get("name") or self.path.stem, *parts]))
                studies.append(options)
        return studies

    def _datasets(self, name: str | None) -> Sequence[Mapping[str, Any]]:
        if name is None:
            return self.datasets or [{}]
        return [dataset for dataset in self.datasets if dataset.get("dataset") == name][:1] or [{}]


def merged(options: Mapping[str, Any], flags: Mapping[str, Any]) -> dict[str, Any]:
    """Return options updated with flags; an option that only makes sense beside another goes with that."""
    result = dict(options)
    for name, value in flags.items():
        if isinstance(value, Mapping):
            result[name] = {**result.get(name, {}), **value}
        elif value is not None and value != () and value != []:
            result[name] = value
    if "epochs" in flags.get("settings", {}) and flags.get("epochs") is None:
        result.pop("epochs", None)
    if flags.get("split") not in (None, "kfold") and not flags.get("folds"):
        result.pop("folds", None)
    return {name: value for name, value in result.items() if value != {}}


def read(path: Path) -> tuple[StudyFile, list[str]]:
    """Read a study file; return its valid content, and its mistakes, each with its key.

    Raises:
        UsageError: there is no such file, or it cannot be read.
        StudyFileError: it is not TOML.
    """
    return read_data(parse(path), path)


def read_data(data: Mapping[str, Any], path: Path) -> tuple[StudyFile, list[str]]:
    """Read a study file's data; `path` names it in messages, and paths in it are relative to it.

    Raises:
        StudyFileError: it holds what no study file can.
    """
    if unusable := mistakes_of_form(data):
        raise StudyFileError(str(path), unusable)
    study, mistakes = validate(deepcopy(dict(data)))
    folder = path.parent
    file = StudyFile(
        path,
        _options(study),
        models=tuple(study["model"] or ()),
        datasets=tuple(_dataset(section, study["data"], folder) for section in study["dataset"] or [{}]),
        plugins=tuple(_place(folder, name) for name in study["plugins"] or ()),
    )
    return file, mistakes


def _place(folder: Path, name: str) -> Path:
    return folder / Path(name).expanduser()


def _options(study: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keywords that all studies of a file share."""
    apart = ("model", "dataset", "space", "protocol", "data", "plugins")
    options = {name: value for name, value in study.items() if name not in apart}
    options["from_study"] = options.pop("from")
    protocol = dict(study["protocol"])
    seed, ratios = protocol.pop("seed"), protocol.pop("ratios")
    options |= protocol | {"ratios": tuple(ratios) if ratios else None, "settings": study["space"] or None}
    options["split_seed"] = seed if protocol["split_seed"] is None else protocol["split_seed"]
    return {name: value for name, value in options.items() if value is not None}


def _dataset(section: Mapping[str, Any], data: str | None, folder: Path) -> dict[str, Any]:
    """Return the keywords of one dataset."""
    place = section.get("data") or data
    options: dict[str, Any] = {"dataset": section.get("name"), "dataset_options": section.get("options") or None}
    options["data"] = _place(folder, place) if place else None
    return {name: value for name, value in options.items() if value is not None}

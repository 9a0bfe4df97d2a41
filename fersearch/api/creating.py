"""Create studies from keyword options or from a study file."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fersearch.blame import score
from fersearch.components import Evaluation
from fersearch.context import components, notices, open_store
from fersearch.data_findings import Progress, check_data
from fersearch.errors import NameTaken, NoDatabase, StudyFileError
from fersearch.formatting import plural
from fersearch.planning.objectives import ON_CPU, WHY, default_objectives
from fersearch.planning.plan import plan
from fersearch.planning.request import StudyRequest
from fersearch.plugins import PluginFile
from fersearch.registry import Registry
from fersearch.study import Origin, StudySpec

if TYPE_CHECKING:
    from fersearch.store.prior import WarmStart
    from fersearch.studyfile.reading import StudyFile


def create_study(
    model: str,
    dataset: str,
    *,
    plugins: Iterable[Path] = (),
    storage: str | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> StudySpec:
    """Create a study and return its spec; `run_study` runs it.

    The data is read first, so that its errors are reported before the study is stored.

    Args:
        progress: called with the number of images read and their total.
        options: the fields of `fersearch.planning.request.StudyRequest`.

    Raises:
        UsageError: one or more options are invalid; the message lists all of them.
    """
    registry = components(plugins)

    def planned(names: Sequence[str]) -> list[StudySpec]:
        return [plan(StudyRequest(model, dataset, **options), registry, names=names)]

    specs = planned(_names(storage))
    if not options.get("objectives"):
        _note_objectives()
    return _stored(storage, registry, specs, planned, progress)[0]


def create_from_file(
    path: Path,
    overrides: Mapping[str, Any],
    *,
    plugins: Iterable[Path] = (),
    storage: str | None = None,
    progress: Progress | None = None,
) -> list[StudySpec]:
    """Create the studies that a TOML file describes; `overrides` take precedence over the file's options.

    Raises:
        StudyFileError: all mistakes of the file, each with its key; then no study was created.
    """
    from fersearch.studyfile.reading import read

    plugins = list(plugins)
    return _create(lambda: read(path), overrides, plugins, storage, progress)


def create_from_data(
    data: Mapping[str, Any],
    *,
    owner: str = "",
    observe: Sequence[str] = (),
    storage: str | None = None,
    progress: Progress | None = None,
) -> list[StudySpec]:
    """Create the studies that plain data in the form of a study file describe (see `study_schema`).

    Args:
        owner: the owner of the studies, among whom a service shares its slots.
        observe: names of the observers that a service notifies of their runs.

    Raises:
        StudyFileError: all mistakes, each with its key; then no study was created.
    """
    from fersearch.studyfile.reading import read_data

    return _create(lambda: read_data(data, Path("study")), {}, [], storage, progress, owner, observe)


def _create(
    read: "Callable[[], tuple[StudyFile, list[str]]]",
    overrides: Mapping[str, Any],
    plugins: Sequence[Path],
    storage: str | None,
    progress: Progress | None,
    owner: str = "",
    observe: Sequence[str] = (),
) -> list[StudySpec]:
    registry, specs = _planned(*read(), overrides, plugins, _names(storage))

    def observed(specs: list[StudySpec]) -> list[StudySpec]:
        return [replace(spec, observe=tuple(dict.fromkeys(observe))) for spec in specs]

    def again(names: Sequence[str]) -> list[StudySpec]:
        return observed(_planned(*read(), overrides, plugins, names)[1])

    specs = observed(specs)
    return _stored(storage, registry, specs, again, progress, owner)


def _names(storage: str | None) -> list[str]:
    """Return the names of the existing studies; create no database."""
    try:
        with open_store(storage) as store:
            return store.study_names()
    except NoDatabase:
        return []


def _stored(
    storage: str | None,
    registry: Registry,
    specs: list[StudySpec],
    planned: Callable[[Sequence[str]], list[StudySpec]],
    progress: Progress | None,
    owner: str = "",
) -> list[StudySpec]:
    """Check planned studies against their data, then store them; the database is created only then.

    If another process took a free name meanwhile, they are planned again, as long as that yields other names.

    Raises:
        NameTaken: a name that the user chose belongs to another study.
        PluginError: a metric that is an objective fails.
    """
    started = [_started(spec, registry, storage) for spec in specs]
    check_data(registry, specs, progress)
    check_metrics(registry, specs)
    with open_store(storage, create=True) as store:
        while True:
            specs = [replace(spec, origin=origin) for spec, (origin, _) in zip(specs, started, strict=True)]
            try:
                files = (used_files(registry, spec) for spec in specs)
                starts = (start for _, start in started)
                store.create_studies(list(zip(specs, files, starts, strict=True)), owner)
            except NameTaken:
                before, specs = [spec.name for spec in specs], planned(store.study_names())
                if [spec.name for spec in specs] == before:
                    raise
            else:
                return specs


def _started(spec: StudySpec, registry: Registry, storage: str | None) -> "tuple[Origin | None, WarmStart]":
    """Return the study that a new one starts from, and the trials that it takes over.

    Raises:
        UnknownName: there is no such study.
        UsageError: the two have nothing in common.
    """
    from fersearch.planning.warm_start import started_from
    from fersearch.store.prior import WarmStart

    if spec.origin is None:
        return None, WarmStart()
    with open_store(storage) as store:
        source = store.study(spec.origin.study)
        begun, start = started_from(spec, source, store.trials(source.id), registry.metrics)
    known = f"its sampler knows {plural(len(start.prior), 'trial')} of it"
    first = f"it first tries {plural(len(start.enqueued), 'configuration')} of its front"
    notices.append(f"starting from study '{source.name}': {known}, and {first}")
    return begun.origin, start


def _note_objectives() -> None:
    """Note why a study without named objectives uses CPU seconds, where the default does."""
    if default_objectives() == ON_CPU and WHY not in notices:
        notices.append(WHY)


def check_metrics(registry: Registry, specs: Iterable[StudySpec]) -> None:
    """Compute every objective that needs predictions on a small example, so that none fails after hours of training.

    Raises:
        PluginError: one fails, or returns something that is not a number.
    """
    import numpy as np

    shares = np.full((4, 2), 0.5, np.float32)
    few = Evaluation(shares, np.array([0, 1, 0, 1], np.int64), ("one", "other"))
    names = {objective.metric for spec in specs for objective in spec.objectives}
    for metric in map(registry.metric, sorted(names)):
        if not metric.measured:
            score(metric, few)


def check_file(
    path: Path, overrides: Mapping[str, Any] | None = None, *, plugins: Iterable[Path] = ()
) -> list[StudySpec]:
    """Check a study file without storing anything. Raise StudyFileError with all its mistakes."""
    from fersearch.studyfile.reading import read

    return _planned(*read(path), overrides or {}, plugins, ())[1]


def check_from_data(data: Mapping[str, Any]) -> list[StudySpec]:
    """Check plain data in the form of a study file without storing anything; StudyFileError with all its mistakes."""
    from fersearch.studyfile.reading import read_data

    return _planned(*read_data(data, Path("study")), {}, (), ())[1]


def study_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a study file, for editors and forms."""
    from fersearch.studyfile.schema import json_schema

    return json_schema()


def used_files(registry: Registry, spec: StudySpec) -> list[PluginFile]:
    """Return the plugin files that a study needs: its architectures', its dataset's, its objectives'."""
    metrics = [registry.metric(objective.metric) for objective in spec.objectives]
    used = [*map(registry.architecture, spec.architectures), registry.dataset(spec.dataset), *metrics]
    files = {file.digest: file for file in map(registry.file_of, used) if file is not None}
    return list(files.values())


def _planned(
    file: "StudyFile", mistakes: list[str], overrides: Mapping[str, Any], plugins: Iterable[Path], names: Sequence[str]
) -> tuple[Registry, list[StudySpec]]:
    """Plan a file's studies; mistakes in the file and against the components are reported together."""
    registry = components([*file.plugins, *plugins])
    flag_settings = overrides.get("settings")
    lenient = set(file.options.get("settings", {})) - set(flag_settings) if flag_settings else set()
    specs: list[StudySpec] = []
    refused: list[str] = []
    by_default = False
    for options in file.studies(overrides):
        for key in ("model", "dataset"):
            if key not in options:
                if not any(line.startswith(key) for line in mistakes):
                    mistakes.append(f'{key}: missing; write {key} = "..." or give --{key}')
                options[key] = ""
        by_default = by_default or not options.get("objectives")
        names_so_far = [*names, *(spec.name for spec in specs)]
        try:
            request = StudyRequest(options.pop("model"), **options, lenient=lenient)
            specs.append(plan(request, registry, file=file.path, before=mistakes, names=names_so_far))
        except StudyFileError as error:
            refused += error.mistakes
    if refused:
        raise StudyFileError(str(file.path), list(dict.fromkeys(refused)))
    if by_default:
        _note_objectives()
    return registry, specs

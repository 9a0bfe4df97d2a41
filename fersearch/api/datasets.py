"""Datasets: what there is, what it holds, whether it is sound, and preparing it ahead of time."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fersearch.context import components
from fersearch.data import verify
from fersearch.named_dataset import files_of, prepared_dataset
from fersearch.space import Value

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class DatasetRow:
    """A dataset plugin; `source` says where its files are (None: not on this machine)."""

    name: str
    summary: str
    licence: str
    source: str | None


@dataclass(frozen=True)
class DatasetView:
    """What a dataset holds under one choice of options, after filtering.

    `splits` maps each part to its `n`, its images `per_class` and its `baseline`, the accuracy of
    always answering the commonest class of train. Where several datasets are merged, `sources` maps
    each to the same figures, its `baseline` being that of its own commonest class.
    """

    name: str
    summary: str
    licence: str
    source: str | None
    options: Mapping[str, Value]
    target: str
    classes: tuple[str, ...]
    splits: Mapping[str, Mapping[str, Any]]
    findings: tuple[str, ...]
    sources: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Exported:
    """Where an export was written, and how many images of each part it lists."""

    path: Path
    splits: Mapping[str, int]

    @property
    def n(self) -> int:
        """All of them."""
        return sum(self.splits.values())


def list_datasets(plugins: tuple[Path, ...] = ()) -> list[DatasetRow]:
    """Return every dataset plugin, and whether its files are here."""
    table = components(plugins).datasets
    return [DatasetRow(name, table[name].summary, table[name].licence, files_of(table[name])) for name in sorted(table)]


def show_dataset(
    name: str,
    *,
    data: Path | None = None,
    options: Mapping[str, str] | None = None,
    target: str | None = None,
    progress: Progress | None = None,
    plugins: tuple[Path, ...] = (),
) -> DatasetView:
    """Prepare a dataset if needed and count its classes by split.

    Raises:
        DataError: the files are missing or broken.
    """
    dataset, source, values, prepared = prepared_dataset(name, data, options or {}, progress, plugins)
    chosen = target or dataset.targets[0]
    shown = verify.show(dataset, prepared, {**values, "target": chosen})
    where = str(source) if source else None
    about = (name, dataset.summary, dataset.licence, where, values, chosen)
    findings = (*prepared.findings, *shown.get("findings", ()))
    return DatasetView(*about, tuple(shown["classes"]), shown["splits"], findings, shown.get("sources", {}))


def prepare_dataset(
    name: str,
    *,
    data: Path | None = None,
    options: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    plugins: tuple[Path, ...] = (),
) -> Path:
    """Decode a dataset once; later studies map it. Returns the prepared folder."""
    folder: Path = prepared_dataset(name, data, options or {}, progress, plugins)[3].folder
    return folder


def verify_dataset(
    name: str,
    *,
    data: Path | None = None,
    options: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    plugins: tuple[Path, ...] = (),
) -> verify.Report:
    """Check a dataset against what is known of it: counts, duplicates, constant images, votes, subjects."""
    dataset, _, values, prepared = prepared_dataset(name, data, options or {}, progress, plugins)
    return verify.verify(dataset, prepared, {**values, "target": dataset.targets[0]})


def export_dataset(
    name: str,
    output: Path,
    *,
    data: Path | None = None,
    options: Mapping[str, str] | None = None,
    target: str | None = None,
    limit: int | None = None,
    force: bool = False,
    progress: Progress | None = None,
    plugins: tuple[Path, ...] = (),
) -> Exported:
    """Write what a study would see: a CSV, or a folder with the CSV and the images as renamed PNG files.

    A path that ends in .csv is a CSV. The folder is one that the `manifest` dataset reads again.

    Raises:
        DataError: the files are missing or broken.
        UsageError: the path is taken, and `force` is not given or what stands there is no earlier export.
    """
    from fersearch.data import export

    dataset, source, values, prepared = prepared_dataset(name, data, options or {}, progress, plugins)
    found = export.faces(dataset, prepared, {**values, "target": target or dataset.targets[0]}, limit)
    if output.suffix.lower() == ".csv":
        export.to_csv(output, found, source, force)
    else:
        export.to_folder(output, found, prepared, force, progress)
    return Exported(output, Counter(face.split for face in found))

"""List, show, verify, prepare and export datasets."""

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
    """A dataset's classes and counts under one choice of options, after filtering.

    `splits` maps each part to its image count `n`, the counts `per_class` and its `baseline`, the accuracy of
    always predicting the commonest class of train. If several datasets are merged, `sources` maps each to
    the same figures, with the `baseline` of its own commonest class.
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
    """The path of an export, and its number of images by split."""

    path: Path
    splits: Mapping[str, int]

    @property
    def n(self) -> int:
        """Number of images in all splits."""
        return sum(self.splits.values())


def list_datasets(plugins: tuple[Path, ...] = ()) -> list[DatasetRow]:
    """Return every dataset plugin and where its files are, sorted by name."""
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
    """Decode a dataset once, so that later studies memory-map it; return the prepared folder."""
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
    """Check a dataset: its published counts, duplicates, constant images, votes, subjects."""
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
    """Write the images and labels that a study sees: a CSV, or a folder with the CSV and renamed PNG files.

    A path that ends in .csv becomes a CSV. The folder can be read by the `manifest` dataset.

    Raises:
        DataError: the files are missing or broken.
        UsageError: the path exists, and `force` is not given or it is no earlier export.
    """
    from fersearch.data import export

    dataset, source, values, prepared = prepared_dataset(name, data, options or {}, progress, plugins)
    faces = export.faces(dataset, prepared, {**values, "target": target or dataset.targets[0]}, limit)
    if output.suffix.lower() == ".csv":
        export.to_csv(output, faces, source, force)
    else:
        export.to_folder(output, faces, prepared, force, progress)
    return Exported(output, Counter(face.split for face in faces))

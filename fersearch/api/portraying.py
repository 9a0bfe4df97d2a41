"""The report of a dataset: everything a reader should see before a study uses it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fersearch
from fersearch.api.datasets import Progress, prepared_dataset
from fersearch.data import verify
from fersearch.data.folders import PARTS
from fersearch.data.prepared import Prepared, map_array
from fersearch.data.views import view
from fersearch.report import pack
from fersearch.report.dataset import Portrait, samples
from fersearch.space import Value
from fersearch.study import Protocol

if TYPE_CHECKING:
    import numpy as np

    from fersearch.components import Dataset

HEAD = 8
AUGMENTED = 6


def report_dataset(
    name: str,
    out: Path,
    *,
    data: Path | None = None,
    options: Mapping[str, str] | None = None,
    target: str | None = None,
    force: bool = False,
    progress: Progress | None = None,
    plugins: tuple[Path, ...] = (),
) -> pack.Written:
    """Write the report of a dataset into a folder: distributions, samples, intensities, augmentation, findings.

    Images of people are written into that folder, and nowhere else.

    Raises:
        DataError: the files are missing or broken.
        UsageError: the folder is taken.
    """
    from fersearch.report import dataset_page

    pack.check_folder(out, force)
    dataset, source, values, prepared = prepared_dataset(name, data, options or {}, progress, plugins)
    chosen = target or dataset.targets[0]
    portrait = _portrait(dataset, source, {**values, "target": chosen}, prepared)
    return pack.write(lambda: dataset_page.dataset(portrait), out, force)


def _portrait(dataset: "Dataset", source: Path | None, params: dict[str, Value], prepared: Prepared) -> Portrait:
    import numpy as np

    from fersearch.training.preview import previews

    found = verify.verify(dataset, prepared, params)
    told = verify.show(dataset, prepared, params)
    hard, part = _labels(dataset, params, prepared)
    each = samples(hard, part, len(found.classes), 1)
    shown = [rows[0] for rows in each if rows][:AUGMENTED]
    columns, head = _head(prepared, found.classes, hard, part)
    return Portrait(
        name=dataset.name,
        summary=dataset.summary,
        licence=dataset.licence,
        files=str(source) if source else "none needed",
        options={name: value for name, value in params.items() if name != "target"},
        target=str(params["target"]),
        classes=found.classes,
        splits=found.splits,
        checks=found.rows,
        findings=found.findings,
        images=prepared.images,
        hard=hard,
        part=part,
        written=datetime.now(UTC),
        version=fersearch.__version__,
        columns=columns,
        head=head,
        sources=told.get("sources", {}),
        shown=shown,
        names=prepared.columns.get("name"),
        augmented=previews(np.stack([prepared.images[row] for row in shown])),
    )


def _labels(
    dataset: "Dataset", params: Mapping[str, Value], prepared: Prepared
) -> "tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]":
    """The class of every prepared image, and the place of its split; -1 where it is left out."""
    import numpy as np

    folder = view(dataset, prepared, params, Protocol(), None)
    part = np.full(prepared.count, -1, np.int64)
    for place, name in enumerate(PARTS):
        part[map_array(folder / f"{name}.npy")] = place
    return map_array(folder / "hard.npy"), part


def _head(
    prepared: Prepared, classes: tuple[str, ...], hard: "np.ndarray[Any, Any]", part: "np.ndarray[Any, Any]"
) -> tuple[list[str], list[list[str]]]:
    """The first prepared images: name, label, split, subject, votes, as far as they are known."""
    extra = [name for name in ("name", "subject", "votes") if name in prepared.columns]
    rows = []
    for row in range(min(HEAD, prepared.count)):
        label = classes[int(hard[row])] if part[row] >= 0 else "-"
        split = PARTS[int(part[row])] if part[row] >= 0 else "left out"
        rows.append([str(row), *(_text(prepared.columns[name][row]) for name in extra), label, split])
    return ["Image", *(name.capitalize() for name in extra), "Label", "Split"], rows


def _text(value: Any) -> str:
    return " ".join(map(str, value.tolist())) if getattr(value, "ndim", 0) else str(value)

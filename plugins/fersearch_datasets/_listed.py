"""What a layout lists: labelled image files with their part, their subject and the box of the face."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fersearch import DataError, Raw
from fersearch.data.class_folders import ClassFolder
from fersearch.data.csvfile import unslashed
from fersearch.data.folders import PARTS
from fersearch.data.labels import canonical
from fersearch.space import Value

if TYPE_CHECKING:
    from fersearch.data.steps import Box

TO_DRAW = -2
Figures = Mapping[str, Mapping[str, int] | int]


@dataclass(frozen=True, slots=True)
class Sample:
    """One labelled face: `part` is 0 train, 1 valid, 2 test, -2 to be drawn; `box` is cut out of the image."""

    path: Path
    class_name: str
    part: int = TO_DRAW
    subject: str = ""
    box: "Box | None" = None


@dataclass
class Listing:
    """The samples below `root`, the label files they were read from, and the findings about them."""

    root: Path
    samples: list[Sample]
    tables: list[Path] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)

    def files(self) -> list[Path]:
        """Return every file, an image with several faces once."""
        return [*self.tables, *dict.fromkeys(sample.path for sample in self.samples)]


def raw(listing: Listing, class_names: Sequence[str], options: Mapping[str, Value], figures: Figures) -> Raw:
    """Return a listing as a dataset returns it, with findings where its counts are not those in `figures`."""
    import numpy as np

    from fersearch.data.images import decode_all
    from fersearch.data.step_lists import boxed, standard
    from fersearch.data.steps import Annotation

    samples = listing.samples
    place = {class_name: k for k, class_name in enumerate(class_names)}
    columns: dict[str, Any] = {
        "label": np.array([place[sample.class_name] for sample in samples], np.int64),
        "split": np.array([sample.part for sample in samples], np.int8),
        "subject": np.array([sample.subject for sample in samples], str),
        "name": np.array([str(sample.path.relative_to(listing.root)) for sample in samples], str),
    }
    findings = [*listing.findings, *unexpected(samples, figures)]
    size, channels = int(options["image_size"]), int(options["channels"])
    known = [Annotation(sample.box) if sample.box else None for sample in samples]
    steps = boxed(size, channels) if any(known) else standard(size, channels)
    images = decode_all([sample.path for sample in samples], size, channels, findings, steps, known)
    return Raw(len(samples), images, columns, tuple(class_names), findings)


def unexpected(samples: Sequence[Sample], figures: Figures) -> list[str]:
    """Return findings where the number of images differs from the published one, by part and class.

    `figures` maps `train`, `valid` and `test`, or `all`, to images per class or to their number. Images that wait to
    be drawn count as train, and as all where there is no other part.
    """
    if "all" not in figures and all(sample.part == TO_DRAW for sample in samples):
        figures = {
            "all": dict(sum((Counter(_per_class(expected_counts)) for expected_counts in figures.values()), Counter()))
        }
    findings = []
    for part, expected in figures.items():
        counts = Counter(sample.class_name for sample in samples if part in ("all", PARTS[max(sample.part, 0)]))
        total = expected if isinstance(expected, int) else sum(expected.values())
        differences = [
            f"{class_name} {n:,} (found {counts[class_name]:,})"
            for class_name, n in _per_class(expected).items()
            if counts[class_name] != n
        ]
        if differences or counts.total() != total:
            where = "" if part == "all" else f"{part} "
            more = f"; expected {', '.join(differences)}" if differences else ""
            findings.append(f"expected {total:,} {where}images, found {counts.total():,}{more}")
    return findings


def _per_class(expected: Mapping[str, int] | int) -> Mapping[str, int]:
    return {} if isinstance(expected, int) else expected


def from_folders(folders: Sequence[ClassFolder], class_names: Sequence[str], dataset: str) -> list[Sample]:
    """Return the images of class folders, whose names are labels of the classes.

    Raises:
        DataError: a folder's name is not such a label; the hint has the nearest.
    """
    return [
        Sample(image, class_name, folder.part)
        for folder in folders
        for class_name in [class_of(folder.label, class_names, str(folder.path), dataset)]
        for image in folder.images
    ]


def class_of(
    text: str, class_names: Sequence[str], where: str, dataset: str, codes: Mapping[str, str] | None = None
) -> str:
    """Return the canonical form of a label, which may be one of the dataset's codes.

    Raises:
        DataError: it is not a known label, or not a class of the dataset.
    """
    class_name = canonical(text, where, class_names, codes)
    if class_name not in class_names:
        raise DataError(f"{where}: '{text}' is not a class of {dataset}", f"its classes: {', '.join(class_names)}")
    return class_name


def all_there(paths: Sequence[Path], named_in: Path) -> None:
    """Raise DataError unless every image that a label file names exists; the message has the first missing one."""
    missing = [path for path in dict.fromkeys(paths) if not path.is_file()]
    if missing and unslashed(Path(), str(missing[0])):
        raise DataError(
            f"{named_in} names images with backslashes, the first is {missing[0]}",
            "write paths with /, as in img/1.png",
        )
    if missing:
        raise DataError(
            f"{len(missing):,} of {len(set(paths)):,} images that {named_in} names are missing, "
            f"the first is {missing[0]}",
            "restore them, or unpack the archive again",
        )


def absent(source: Path, holds: str, what: str, expected: str) -> DataError:
    """Return the error for a folder that holds no such dataset."""
    return DataError(
        f"no {what} images found in {source}: it holds {holds}",
        f"expected {expected};\n  give it with --data, or try the built-in drawings now: --dataset faces",
    )

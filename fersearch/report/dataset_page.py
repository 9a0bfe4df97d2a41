"""The page of a dataset: its input, its sections and their order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from fersearch.data.folders import PARTS, printable
from fersearch.report import study_tables as study_rows
from fersearch.report.parts import Facts, Missing, Page, Part, Plot, Section, Tabular, Text
from fersearch.report.plots.bars import bars, pies
from fersearch.report.plots.bars import intensities as draw_intensities
from fersearch.report.plots.pictures import pictures
from fersearch.report.prose import options
from fersearch.report.tables import Cell, Table
from fersearch.space import Value

if TYPE_CHECKING:
    import numpy as np


PER_CLASS, CONTRADICTORY = 8, 16
FACES = "They are written only to this folder; check the dataset's licence before sharing it."
HISTOGRAM = 1000
"""Maximum number of images of a class in its histogram."""


@dataclass(frozen=True)
class Portrait:
    """A dataset under one choice of options.

    `images` (uint8, n x channels x size x size) holds every prepared image, `hard` (int64, n) its class and `part`
    (int64, n) the index of its split among the `splits`, -1 where it is left out. `checks` are the results of
    verification, `findings` what deserves attention, `head` the first rows under `columns`. `augmented` maps
    augmentation presets to the images of `shown` under them. `names` (str, n) are the names of the files, None where
    there are none.
    """

    name: str
    summary: str
    licence: str
    files: str
    options: Mapping[str, Value]
    target: str
    classes: tuple[str, ...]
    splits: Mapping[str, Mapping[str, Any]]
    checks: Sequence[tuple[str, str]]
    findings: Sequence[str]
    images: "np.ndarray[Any, Any]"
    hard: "np.ndarray[Any, Any]"
    part: "np.ndarray[Any, Any]"
    written: datetime
    version: str
    columns: Sequence[str] = ()
    head: Sequence[Sequence[str]] = ()
    sources: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    shown: Sequence[int] = ()
    augmented: Mapping[str, "np.ndarray[Any, Any]"] = field(default_factory=dict)
    names: "np.ndarray[Any, Any] | None" = None

    @property
    def count(self) -> int:
        """The number of images that are not left out."""
        return int((self.part >= 0).sum())

    @property
    def channels(self) -> int:
        """1 grey, 3 colour."""
        return int(self.images.shape[1])

    def per_class(self) -> list[int]:
        """Return the images of each class in all splits."""
        return [sum(part["per_class"][name] for part in self.splits.values()) for name in self.classes]


def dataset(portrait: Portrait) -> Page:
    """Return the whole page. Call it inside `plots.style.styled()`."""
    sections = [_summary(portrait), _classes(portrait)]
    sections += [_sources(portrait)] if portrait.sources else []
    sections += [_samples(portrait), _intensities(portrait), _duplicates(portrait), _augmentation(portrait)]
    counts = portrait.per_class()
    tiles = [("images", f"{portrait.count:,}"), ("classes", f"{len(portrait.classes)}")]
    if min(counts):
        tiles.append(("largest / smallest class", f"{max(counts) / min(counts):.1f}"))
    return Page(
        title=portrait.name,
        subtitle="Dataset report",
        sections=sections,
        tiles=[*tiles, ("to look at", f"{len(portrait.findings)}")],
        footer=f"Written by fersearch {portrait.version} on {portrait.written:%Y-%m-%d %H:%M} UTC.",
    )


def _summary(portrait: Portrait) -> Section:
    colour = "grey" if portrait.channels == 1 else "RGB"
    side = portrait.images.shape[-1]
    facts = [
        ("Description", portrait.summary),
        ("Licence", portrait.licence or "unknown"),
        ("Files", portrait.files),
        ("Options", options(portrait.options) or "none"),
        ("Target", portrait.target),
        ("Shape", f"{len(portrait.images):,} images of {portrait.channels} x {side} x {side}, uint8, {colour}"),
    ]
    parts: list[Part] = [Facts(facts)]
    parts += [Missing(line[:1].upper() + line[1:] + ".") for line in portrait.findings]
    head: list[list[Cell]] = [list(row) for row in portrait.head]
    parts.append(Tabular(Table("head", "The first images.", portrait.columns, head)))
    checks: list[list[Cell]] = [[name, result] for name, result in portrait.checks]
    parts.append(Tabular(Table("checks", "Checks and their results.", ["Check", "Found"], checks)))
    return Section("summary", "Summary", parts)


def _classes(portrait: Portrait) -> Section:
    per_split = {name: list(part["per_class"].values()) for name, part in portrait.splits.items()}
    series = {name: [float(count) for count in counts] for name, counts in per_split.items()}
    drawn = bars(portrait.classes, series, "images", figures=len(portrait.classes) * len(series) <= 24)
    whole = {"all": portrait.per_class(), **per_split} if len(per_split) > 1 else per_split
    parts: list[Part] = [
        Tabular(distribution(portrait)),
        Plot("class-distribution", "Images of each class in each split.", drawn),
        Plot("class-shares", "Shares of the classes in all images and in each split.", pies(whole, portrait.classes)),
    ]
    return Section("classes", "Class distribution", parts)


def distribution(portrait: Portrait) -> Table:
    """Return the number of images of each class in each split, in all, and as a share, with the majority baseline in
    the last row."""
    base = study_rows.splits(portrait.splits, portrait.classes)
    totals = [*portrait.per_class(), portrait.count]
    rows: list[list[Cell]] = [
        [*row, total, f"{100 * total / portrait.count:.1f} %"] for row, total in zip(base.rows, totals, strict=True)
    ]
    baselines = [f"{100 * part['baseline']:.1f} %" for part in portrait.splits.values()]
    rows.append(["majority baseline", *baselines, None, None])
    return Table("distribution", base.caption, [*base.columns, "All", "Share"], rows)


def _sources(portrait: Portrait) -> Section:
    table = composition(portrait.sources, portrait.classes)
    series = {name: [float(n) for n in own["per_class"].values()] for name, own in portrait.sources.items()}
    figure = bars(portrait.classes, series, "images", figures=False)
    parts: list[Part] = [
        Text("A class from a single source may be recognised by the camera rather than the face."),
        Tabular(table),
        Plot("sources", "Images of each class from each source.", figure),
    ]
    return Section("sources", "Sources", parts)


def composition(sources: Mapping[str, Mapping[str, Any]], classes: Sequence[str]) -> Table:
    """Return the number of images of each class from each source."""
    rows: list[list[Cell]] = [[name, *(own["per_class"][name] for own in sources.values())] for name in classes]
    rows.append(["all", *(own["n"] for own in sources.values())])
    return Table("sources", "Images of each class from each source.", ["Class", *sources], rows)


def _samples(portrait: Portrait) -> Section:
    chosen = samples(portrait.hard, portrait.part, len(portrait.classes), PER_CLASS)
    named = [(name, own) for name, own in zip(portrait.classes, chosen, strict=True) if own]
    one = [named[place : place + PER_CLASS] for place in range(0, len(named), PER_CLASS)]
    parts: list[Part] = [Text(f"Images drawn at random, from train where possible. {FACES}")]
    for place, group in enumerate(one, start=1):
        figure = pictures([[portrait.images[own[0]] for _, own in group]], (), [name for name, _ in group], side=1.1)
        parts.append(Plot(f"sample-each-{place}", "One image of each class.", figure))
    figure = pictures([[portrait.images[row] for row in own] for _, own in named], [name for name, _ in named])
    parts.append(Plot("samples", f"Up to {PER_CLASS} images of each class.", figure))
    return Section("samples", "Samples", parts)


def _intensities(portrait: Portrait) -> Section:
    about = (
        "Grey values of all pixels" + (" of all three channels" if portrait.channels == 3 else "") + " in each class, "
        f"from 0 (black) to 255 (white); red lines: means. Up to {HISTOGRAM:,} images per class, drawn at random."
    )
    figure = draw_intensities(intensities(portrait), portrait.classes)
    return Section("intensity", "Pixel intensities", [Plot("intensities", about, figure)])


def _duplicates(portrait: Portrait) -> Section:
    groups = duplicates(portrait)
    if not groups:
        return Section("duplicates", "Duplicates", [Text("No two images are identical.")])
    about = "Identical images (equal in every pixel): those with different labels first, then those in several splits."
    parts: list[Part] = [Text(about)]
    odd = [rows for rows in groups if conflicts(portrait, rows)][:CONTRADICTORY]
    for start in range(0, len(odd), PER_CLASS):
        shown = odd[start : start + PER_CLASS]
        titles = ["\n".join(dict.fromkeys(portrait.classes[int(portrait.hard[row])] for row in rows)) for rows in shown]
        figure = pictures([[portrait.images[rows[0]] for rows in shown]], (), titles, side=1.1)
        parts.append(Plot(f"contradictory-{start // PER_CLASS + 1}", "Identical images with different labels.", figure))
    return Section("duplicates", "Duplicates", [*parts, Tabular(_duplicate_table(portrait, groups), most=25)])


def _duplicate_table(portrait: Portrait, groups: Sequence[Sequence[int]]) -> Table:
    splits = list(PARTS)
    cells: list[list[Cell]] = []
    for group, rows in enumerate(groups, start=1):
        names = [str(row) if portrait.names is None else printable(str(portrait.names[row])) for row in rows]
        labels = dict.fromkeys(portrait.classes[int(portrait.hard[row])] for row in rows)
        places = dict.fromkeys(splits[int(portrait.part[row])] for row in rows)
        cells.append([group, len(rows), ", ".join(labels), ", ".join(places), ", ".join(names)])
    caption = "Groups of identical images."
    return Table("duplicates", caption, ["Group", "Images", "Labels", "Splits", "Which"], cells)


def _augmentation(portrait: Portrait) -> Section:
    if not portrait.augmented:
        return Section("augmentation", "Augmentation", [Missing("No preset was drawn.")])
    originals = [portrait.images[row] for row in portrait.shown]
    names = [portrait.classes[int(portrait.hard[row])] for row in portrait.shown]
    columns: list[Any] = [originals, *portrait.augmented.values()]
    grid = [[column[i] for column in columns] for i in range(len(originals))]
    figure = pictures(grid, names, ["original", *portrait.augmented])
    about = (
        "The same images under each augmentation preset, one random draw each. Only train images are augmented, anew "
        "in every epoch; padding is grey. The preset strong also applies mixup, which is not shown."
    )
    return Section("augmentation", "Augmentation", [Text(about), Plot("augmentation", "Augmented images.", figure)])


def samples(
    hard: "np.ndarray[Any, Any]", part: "np.ndarray[Any, Any]", count: int, most: int, seed: int = 0
) -> list[list[int]]:
    """Return at most `most` random rows of each of `count` classes, from train first, then from the other splits."""
    import numpy as np

    random = np.random.default_rng(seed)
    sampled = []
    for label in range(count):
        train, others = (random.permutation(np.flatnonzero((hard == label) & mine)) for mine in (part == 0, part > 0))
        sampled.append([int(row) for row in [*train, *others][:most]])
    return sampled


def intensities(portrait: Portrait) -> "np.ndarray[Any, Any]":
    """Return how often each grey value 0..255 occurs in each class, as shares: (classes, 256); 0 in a class without
    images."""
    import numpy as np

    rows = samples(portrait.hard, portrait.part, len(portrait.classes), HISTOGRAM)
    shares = np.zeros((len(rows), 256))
    for label, own in enumerate(rows):
        for row in own:
            shares[label] += np.bincount(portrait.images[row].ravel(), minlength=256)
    totals = shares.sum(1, keepdims=True)
    normalised: np.ndarray[Any, Any] = shares / np.maximum(totals, 1)
    return normalised


def duplicates(portrait: Portrait) -> list[list[int]]:
    """Return groups of rows whose images are equal in every pixel: conflicting labels first, then across splits."""
    import numpy as np

    from fersearch.data.digests import pixel_digest

    rows_of: dict[bytes, list[int]] = {}
    for row in np.flatnonzero(portrait.part >= 0):
        rows_of.setdefault(pixel_digest(portrait.images[row]), []).append(int(row))
    groups = [rows for rows in rows_of.values() if len(rows) > 1]
    return sorted(groups, key=lambda rows: (not conflicts(portrait, rows), not _across(portrait, rows), rows[0]))


def conflicts(portrait: Portrait, rows: Sequence[int]) -> bool:
    """Return whether images have several labels."""
    return len({int(portrait.hard[row]) for row in rows}) > 1


def _across(portrait: Portrait, rows: Sequence[int]) -> bool:
    return len({int(portrait.part[row]) for row in rows}) > 1

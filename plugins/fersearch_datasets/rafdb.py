"""RAF-DB, basic set: 15,339 faces from the web in seven classes, as published or as its Kaggle mirror.

Li, Deng and Du, "Reliable Crowdsourcing and Deep Locality-Preserving Learning for Expression Recognition in the
Wild", CVPR 2017. The split is the published one; it has no valid part, so valid is drawn from train.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fersearch import Choice, DataError, Dataset, Labels, Raw, hookimpl
from fersearch.data.class_folders import class_folders, part_folders
from fersearch.data.folders import contents_of, entries, roots, subfolders
from fersearch.space import Value
from fersearch_datasets import _rafdb_labels as labels
from fersearch_datasets._listed import TO_DRAW, Listing, Sample, absent, all_there, raw
from fersearch_datasets._rafdb_labels import CLASS_NAMES, CLASSES

FIGURES = {
    "train": dict(zip(CLASS_NAMES, (1290, 281, 717, 4772, 1982, 705, 2524), strict=True)),
    "test": dict(zip(CLASS_NAMES, (329, 74, 160, 1185, 478, 162, 680), strict=True)),
}
LIST = Path("EmoLabel", "list_patition_label.txt")  # spelt so in the archive
LISTS = (LIST, LIST.with_name("list_partition_label.txt"))
PARTS = {"train": TO_DRAW, "test": 2}
COLUMNS = ("image", "label")
IMAGES = ("aligned", "original")


class RafDb(Dataset):
    """RAF-DB's basic set: `images` aligned (100x100 faces) or original (whole photos, only in the published form)."""

    name = "rafdb"
    version = 2
    summary = "RAF-DB basic: 15,339 RGB 100x100 faces from the web, seven classes"
    licence = "RAF-DB: non-commercial research, on request from its authors."
    expected = (
        "basic/EmoLabel/list_patition_label.txt with basic/Image/aligned/, "
        "or DATASET/train/1..7/ and DATASET/test/1..7/"
    )
    decoding = {**Dataset.decoding, "images": Choice(*IMAGES, search="aligned")}

    def files(self, source: Path) -> Sequence[Path]:
        table = _list(source)
        if table is None:
            return _mirror(source).files()
        there = [images for images in IMAGES if (table.parent.parent / "Image" / images).is_dir()]
        others = [entry for images in there[1:] for entry in entries(table.parent.parent / "Image" / images)]
        whole = _published(table, there[0] if there else IMAGES[0])
        return [*whole.files(), *(Path(entry.path) for entry in others if entry.is_file())]

    def read(self, source: Path, options: Mapping[str, Value]) -> Raw:
        table = _list(source)
        if table is not None:
            return raw(_published(table, str(options["images"])), CLASSES, options, FIGURES)
        if options["images"] != "aligned":
            raise DataError(
                f"{source} is the Kaggle mirror, which has no original images",
                "choose images = aligned, or give the published basic/ folder",
            )
        return raw(_mirror(source), CLASSES, options, FIGURES)

    def steps(self, options: Mapping[str, Value]) -> list[dict[str, Any]] | None:
        return super().steps(options)  # `images` chooses files and cuts nothing

    def label(self, columns: Mapping[str, Any], class_names: Sequence[str], params: Mapping[str, Value]) -> Labels:
        return Labels(tuple(class_names), columns["label"], columns["split"])


def _list(source: Path) -> Path | None:
    """Return the published list of labels, where this is the published form."""
    places = list(roots(source))
    table = next((root / name for root in places for name in LISTS if (root / name).is_file()), None)
    half = next((root for root in places if (root / "Image").is_dir()), None)
    if table is None and half is not None:
        raise DataError(f"only a part of RAF-DB is in {half}: {LIST} missing", f"expected {RafDb.expected}")
    return table


def _published(table: Path, images: str) -> Listing:
    folder = table.parent.parent / "Image" / images
    if not folder.is_dir():
        raise DataError(
            f"only a part of RAF-DB is in {table.parent.parent}: no folder Image/{images}",
            "unpack Image/, or choose the other images with --option images=",
        )
    findings: list[str] = []
    there = {entry.name for entry in entries(folder)}
    listed = labels.read(table, findings)
    canonical_labels = labels.canonical_labels([(line.where, line.label) for line in listed], findings)
    samples = []
    for line, class_name in zip(listed, canonical_labels, strict=True):
        usual, other = line.names(images == "aligned")
        name = other if other in there and usual not in there else usual
        samples.append(Sample(folder / name, class_name, PARTS[line.part]))
    all_there([sample.path for sample in samples], table)
    extra = sorted(there - {sample.path.name for sample in samples})
    if extra:
        findings.append(f"{len(extra):,} files in {folder} are not in {table.name}: {', '.join(extra[:3])}")
    if images == "original":
        findings.append("original images are whole photos, cropped to a square around the middle, not to the face")
    return Listing(table.parent.parent, samples, [table], findings)


def _mirror(source: Path) -> Listing:
    """Return the Kaggle mirror: folders train and test with a folder for each class, named by its code or its name."""
    for root in roots(source):
        parts = part_folders(root)
        if len(parts) > 1 and 0 in parts:
            findings: list[str] = []
            folders = class_folders(root, findings)
            canonical_labels = labels.canonical_labels(
                [(str(folder.path), folder.label) for folder in folders], findings
            )
            samples = [
                Sample(image, class_name, folder.part)
                for folder, class_name in zip(folders, canonical_labels, strict=True)
                for image in folder.images
            ]
            _refuse_two_classes(samples)
            samples = _published_test(samples, findings)
            tables = [path for name in PARTS if (path := root / f"{name}_labels.csv").is_file()]
            return Listing(root, samples, tables, findings + _disagreements(samples, tables))
    raise absent(source, _shown(source), "RAF-DB", RafDb.expected)


def _refuse_two_classes(samples: Sequence[Sample]) -> None:
    """Raise DataError if an image, identified by its name, is in the folders of two classes."""
    first: dict[str, Sample] = {}
    for sample in samples:
        other = first.setdefault(sample.path.name, sample)
        if other.class_name != sample.class_name:
            raise DataError(f"one image in two classes: {other.path} and {sample.path}", "remove one of them")


def _published_test(samples: list[Sample], findings: list[str]) -> list[Sample]:
    """Return the samples, the published test part as test even where its folder is called valid."""
    parts = {sample.part for sample in samples}
    if 1 not in parts:
        return samples
    valid = [sample.path.name.lower() for sample in samples if sample.part == 1]
    train = [sample.path.name.lower() for sample in samples if sample.part == 0]
    if 2 in parts or not all(name.startswith("test_") for name in valid) or any("test_" in name for name in train):
        findings.append("a mirror with train and valid folders: NOT the official split, so not comparable with it")
        return samples
    findings.append("the folder of valid holds the published test images: they are test, and valid is drawn from train")
    return [Sample(sample.path, sample.class_name, {0: TO_DRAW, 1: 2}[sample.part]) for sample in samples]


def _disagreements(samples: Sequence[Sample], tables: Sequence[Path]) -> list[str]:
    """Return findings on images whose folder contradicts the mirror's own tables, and on rows without an image."""
    from fersearch.data.csvfile import rows

    listed = [row for table in tables for row in rows(table, COLUMNS)]
    findings: list[str] = []
    canonical_labels = labels.canonical_labels([(row.where, row.required("label")) for row in listed], findings)
    if not listed:
        return ["no train_labels.csv and test_labels.csv: the folders alone give the labels"]
    table_label = {row["image"]: class_name for row, class_name in zip(listed, canonical_labels, strict=True)}
    folder_label = {sample.path.name: sample.class_name for sample in samples}
    complaints = {
        "rows of the label files have no image": [name for name in table_label if name not in folder_label],
        "images are in no label file": [name for name in folder_label if name not in table_label],
        "images lie in another class's folder than their label": [
            name for name, class_name in folder_label.items() if table_label.get(name, class_name) != class_name
        ],
    }
    return [f"{len(names):,} {what}: {', '.join(names[:3])}" for what, names in complaints.items() if names]


def _shown(source: Path) -> str:
    below = subfolders(source)
    return contents_of(source) if len(below) != 1 else f"{below[0].name}/ with {contents_of(below[0])}"


@hookimpl
def register_datasets(register: Any) -> None:
    """Register RAF-DB."""
    register(RafDb())

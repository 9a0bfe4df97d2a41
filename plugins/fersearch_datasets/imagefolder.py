"""Any folder of images with one folder per class, inside train/valid/test folders or not."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fersearch import Dataset, Labels, Raw, hookimpl
from fersearch.data.class_folders import TO_DRAW, ClassFolder, class_folders
from fersearch.data.labels import lookalikes, one_spelling
from fersearch.space import Value


class ImageFolder(Dataset):
    """Class folders as they are: their names are the classes, sorted; no vocabulary is imposed.

    Names that differ in case, Unicode form or blanks alone are one class.

    With train and test folders but no valid one, valid is drawn from train; without any of them all three are
    drawn. A dataset with train and valid folders alone has no test split.
    """

    name = "imagefolder"
    version = 2
    summary = "a folder of images per class, with train/valid/test folders or without"
    licence = "Your own images: check their licence yourself."
    named_by_path = True
    expected = (
        "one folder per class with images in it, or train/<class>/ and test/<class>/ (valid/<class>/ is optional)"
    )

    def files(self, source: Path) -> Sequence[Path]:
        return [image for folder in class_folders(source, []) for image in folder.images]

    def read(self, source: Path, options: Mapping[str, Value]) -> Raw:
        from fersearch.data.images import decode_all

        findings: list[str] = []
        folders = class_folders(source, findings)
        class_names = _named(folders, findings)
        paths = [image for folder in folders for image in folder.images]
        images = decode_all(paths, int(options["image_size"]), int(options["channels"]), findings)
        return Raw(len(paths), images, columns(folders, class_names, source), class_names, findings)

    def label(self, columns: Mapping[str, Any], class_names: Sequence[str], params: Mapping[str, Value]) -> Labels:
        return Labels(tuple(class_names), columns["label"], columns["split"])


def columns(folders: Sequence[ClassFolder], class_names: Sequence[str], source: Path) -> dict[str, Any]:
    """Return label, split and name of every image, in the order of the folders."""
    import numpy as np

    counts = [len(folder.images) for folder in folders]
    names = [str(image.relative_to(source)) for folder in folders for image in folder.images]
    return {
        "label": np.repeat(np.array([class_names.index(folder.label) for folder in folders], np.int64), counts),
        "split": np.repeat(np.array([folder.part for folder in folders], np.int8), counts),
        "name": np.array(names, str),
    }


def _named(folders: Sequence[ClassFolder], findings: list[str]) -> tuple[str, ...]:
    """Return the classes, after setting each folder's label to one of them."""
    counts = Counter({folder.label: 0 for folder in folders})
    for folder in folders:
        counts[folder.label] += len(folder.images) * (folder.part in (0, TO_DRAW))
    merged, spelling_findings = one_spelling(counts)
    findings += spelling_findings
    for folder in folders:
        folder.label = merged[folder.label]
    class_names = tuple(sorted({folder.label for folder in folders}))
    findings += lookalikes(class_names)
    return class_names


@hookimpl
def register_datasets(register: Any) -> None:
    """Register folders of images."""
    register(ImageFolder())

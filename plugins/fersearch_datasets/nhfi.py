"""NHFI, the Natural Human Face Images for emotion recognition: pictures from the web in eight class folders.

Published on Kaggle by Sudarshan Vaidya; used in the thesis. It has no official split and names no persons, so
pictures of one person may be on both sides of a drawn split.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fersearch import Dataset, Labels, Raw, hookimpl
from fersearch.data.labels import EMOTIONS
from fersearch.space import Value
from fersearch_datasets import _class_tree as class_tree
from fersearch_datasets import _sanity as sanity

IMAGES = 5_558


class Nhfi(Dataset):
    """The eight emotions of FER+ in folders; `neutrality` is neutral."""

    name = "nhfi"
    summary = "NHFI: 5,558 grey 224x224 faces from the web, eight classes"
    licence = "NHFI: as its Kaggle page says; the pictures are from the web."
    expected = "the folders anger, contempt, disgust, fear, happiness, neutrality, sadness and surprise with images"

    def files(self, source: Path) -> Sequence[Path]:
        _, folders = class_tree.find(source, "NHFI", self.expected, [])
        return [image for folder in folders for image in folder.images]

    def read(self, source: Path, options: Mapping[str, Value]) -> Raw:
        import numpy as np

        from fersearch.data.images import decode_all

        findings: list[str] = []
        _, folders = class_tree.find(source, "NHFI", self.expected, findings)
        class_of = class_tree.labels(folders, EMOTIONS, "NHFI")
        listed = [(folder, image) for folder in folders for image in folder.images]
        columns: dict[str, Any] = {
            "label": np.array([EMOTIONS.index(class_of[folder.path]) for folder, _ in listed], np.int64),
            "split": np.array([folder.part for folder, _ in listed], np.int8),
            "name": np.array([str(image.relative_to(source)) for _, image in listed], str),
        }
        findings += sanity.counted("images", IMAGES, len(listed))
        findings += [f"no folder for {name}" for name in EMOTIONS if name not in class_of.values()]
        paths = [image for _, image in listed]
        images = decode_all(paths, int(options["image_size"]), int(options["channels"]), findings)
        return Raw(len(paths), images, columns, EMOTIONS, findings)

    def label(self, columns: Mapping[str, Any], class_names: Sequence[str], params: Mapping[str, Value]) -> Labels:
        return Labels(tuple(class_names), columns["label"], columns["split"])


@hookimpl
def register_datasets(register: Any) -> None:
    """Register NHFI."""
    register(Nhfi())

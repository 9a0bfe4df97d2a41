"""JAFFE, the Japanese Female Facial Expression database: ten women, seven posed expressions.

Lyons, Kamachi and Gyoba, "The Japanese Female Facial Expression (JAFFE) Dataset", Zenodo, 1998. A name such as
KA.AN1.39.tiff gives person, expression with its take, and a running number. With ten persons the natural protocol
is to leave one of them out (split = loso).
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fersearch import Dataset, Labels, Raw, hookimpl
from fersearch.data.labels import EMOTIONS, canonical
from fersearch.space import Value
from fersearch_datasets import _sanity as sanity

if TYPE_CHECKING:
    from fersearch_datasets._coded_names import Face

CLASSES = EMOTIONS[:7]
SUBJECTS = ("KA", "KL", "KM", "KR", "MK", "NA", "NM", "TM", "UY", "YM")
IMAGES = 213
PER_CLASS = dict(zip(CLASSES, (30, 31, 30, 31, 30, 29, 32), strict=True))
GAP = "[^A-Z0-9]"
NAME = re.compile(rf"([A-Z]{{2}}){GAP}*(AN|DI|FE|HA|NE|SA|SU){GAP}*(\d?){GAP}+(\d+){GAP}*(?:\.tiff?)?", re.IGNORECASE)


class Jaffe(Dataset):
    """JAFFE by the names of its images, anywhere below the folder; irregular names are read as far as possible."""

    name = "jaffe"
    summary = "JAFFE: 213 grey 256x256 faces of ten women, seven classes"
    licence = "JAFFE: non-commercial research only, on request (Zenodo 3451524)."
    expected = "images named like KA.AN1.39.tiff (.tif, .png or .jpg) in one folder or in folders below it"

    def files(self, source: Path) -> Sequence[Path]:
        return [face.path for face in self._faces(source, [])]

    def read(self, source: Path, options: Mapping[str, Value]) -> Raw:
        from fersearch.data.images import decode_all
        from fersearch_datasets import _coded_names as coded_names

        findings: list[str] = []
        faces = self._faces(source, findings)
        findings += _irregular(faces) + sanity.counted("images", IMAGES, len(faces))
        findings += sanity.per_class("images per class", PER_CLASS, [face.label for face in faces], "usually")
        findings += sanity.counted("persons", len(SUBJECTS), len({face.subject for face in faces}))
        paths = [face.path for face in faces]
        images = decode_all(paths, int(options["image_size"]), int(options["channels"]), findings)
        return Raw(len(faces), images, coded_names.columns(faces, CLASSES, source), CLASSES, findings)

    def label(self, columns: Mapping[str, Any], class_names: Sequence[str], params: Mapping[str, Value]) -> Labels:
        return Labels(tuple(class_names), columns["label"], columns["split"], subject=columns["subject"])

    def _faces(self, source: Path, findings: list[str]) -> "list[Face]":
        from fersearch_datasets import _coded_names as coded_names

        return coded_names.find(source, coded_names.Rule("JAFFE", "KA.AN1.39.tiff", self.expected, _parse), findings)


def _parse(path: Path) -> "Face | None":
    """Return person, expression and number of a name; doubled dots, other separators and any case are accepted."""
    from fersearch_datasets._coded_names import Face

    match = NAME.fullmatch(path.stem)
    if match is None:
        return None
    subject, code, take, number = (group.upper() for group in match.groups())
    return Face(path, f"{subject}.{code}{take}.{number}", canonical(code), subject)


def _irregular(faces: "Sequence[Face]") -> list[str]:
    odd = [
        face.path.name
        for face in faces
        if face.path.stem != face.key or not face.key[5].isdigit() or face.subject not in SUBJECTS
    ]
    return [f"{len(odd):,} irregular names were read: {sanity.listed(odd)}"] if odd else []


@hookimpl
def register_datasets(register: Any) -> None:
    """Register JAFFE."""
    register(Jaffe())

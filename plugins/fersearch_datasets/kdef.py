"""KDEF, the Karolinska Directed Emotional Faces: 70 persons, seven expressions, five angles, two sessions.

Lundqvist, Flykt and Öhman, Karolinska Institutet, 1998. A name such as AF01ANFL.JPG gives session (A or B), gender
and number of the person, expression and angle. A person is the same in both sessions.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fersearch import Choice, Dataset, Labels, Raw, hookimpl
from fersearch.data.labels import EMOTIONS, canonical
from fersearch.space import Value
from fersearch_datasets import _sanity as sanity

if TYPE_CHECKING:
    from fersearch_datasets._coded_names import Face

CLASSES = EMOTIONS[:7]
ANGLES = ("FL", "HL", "S", "HR", "FR")
PERSONS, PER_CLASS, PER_ANGLE = 70, 700, 980
NAME = re.compile(r"[AB]([FM]\d\d)(AF|AN|DI|HA|NE|SA|SU)(FL|HL|S|HR|FR)", re.IGNORECASE)


class Kdef(Dataset):
    """KDEF by the names of its images: one folder per person, all in one, or folders of emotions.

    `angles` keeps the frontal faces (S), frontal faces and half profiles (the default), or all; full profiles are a
    task of their own. `sessions` keeps one of the two. `crop` takes the middle square of the upright picture, or
    squeezes all of it into one.
    """

    name = "kdef"
    summary = "KDEF: 4,900 colour 562x762 photographs of 70 persons, seven classes"
    licence = "KDEF: free for non-commercial research (Karolinska Institutet)."
    expected = "images named like AF01ANS.JPG, in a folder per person or in any others"
    decoding = {**Dataset.decoding, "crop": Choice("centre", "none", search="centre")}
    options = {
        "angles": Choice("S", "S,HL,HR", "all", search="S,HL,HR"),
        "sessions": Choice("both", "A", "B", search="both"),
    }

    def files(self, source: Path) -> Sequence[Path]:
        return [face.path for face in self._faces(source, [])]

    def read(self, source: Path, options: Mapping[str, Value]) -> Raw:
        import numpy as np

        from fersearch.data.images import decode_all
        from fersearch_datasets import _coded_names as coded_names

        findings: list[str] = []
        faces = self._faces(source, findings)
        columns = coded_names.columns(faces, CLASSES, source)
        columns["session"] = np.array([face.key[0] for face in faces], str)
        columns["angle"] = np.array([face.key[6:] for face in faces], str)
        findings += _unexpected(faces)
        size, channels = int(options["image_size"]), int(options["channels"])
        images = decode_all([face.path for face in faces], size, channels, findings, self.steps(options))
        return Raw(len(faces), images, columns, CLASSES, findings)

    def steps(self, options: Mapping[str, Value]) -> list[dict[str, Any]]:
        from fersearch.data.step_lists import cropped

        return cropped(options)

    def label(self, columns: Mapping[str, Any], class_names: Sequence[str], params: Mapping[str, Value]) -> Labels:
        import numpy as np

        angles = ANGLES if params["angles"] == "all" else str(params["angles"]).split(",")
        sessions = "AB" if params["sessions"] == "both" else str(params["sessions"])
        included = np.isin(columns["angle"], angles) & np.isin(columns["session"], list(sessions))
        hard = np.where(included, columns["label"], -1)
        split = np.where(included, columns["split"], -1).astype(np.int8)
        return Labels(tuple(class_names), hard, split, subject=columns["subject"])

    def _faces(self, source: Path, findings: list[str]) -> "list[Face]":
        from fersearch_datasets import _coded_names as coded_names

        return coded_names.find(source, coded_names.Rule("KDEF", "AF01ANFL.JPG", self.expected, _parse), findings)


def _parse(path: Path) -> "Face | None":
    from fersearch_datasets._coded_names import Face

    match = NAME.fullmatch(path.stem)
    if match is None:
        return None
    subject, code, _ = (group.upper() for group in match.groups())
    return Face(path, path.stem.upper(), canonical(code), subject)


def _unexpected(faces: "Sequence[Face]") -> list[str]:
    """Return findings on what differs from 70 persons x 7 expressions x 5 angles x 2 sessions."""
    return [
        *sanity.counted("images", PER_ANGLE * len(ANGLES), len(faces)),
        *sanity.counted("persons", PERSONS, len({face.subject for face in faces})),
        *sanity.per_class("images per class", dict.fromkeys(CLASSES, PER_CLASS), [face.label for face in faces]),
        *sanity.per_class("images per angle", dict.fromkeys(ANGLES, PER_ANGLE), [face.key[6:] for face in faces]),
    ]


@hookimpl
def register_datasets(register: Any) -> None:
    """Register KDEF."""
    register(Kdef())

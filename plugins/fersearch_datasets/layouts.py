"""Datasets that need no code of their own: one row of a table each, over a few readers.

OAHEGA (Kovenko and Shevchuk, Mendeley Data 10.17632/5ck5zz6f2c.2), FED-2023 (Patel,
Kaggle), AffectNet (Mollahosseini, Hasani and Mahoor, IEEE TAC 2017), ExpW (Zhang, Luo, Loy and Tang, IJCV 2018),
FERG-DB (Aneja et al., ACCV 2016), muxspace/facial_expressions (GitHub).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fersearch import Choice, Dataset, Labels, Raw, hookimpl
from fersearch.data.labels import EMOTIONS, in_order
from fersearch.space import Value
from fersearch_datasets import _affectnet as affectnet
from fersearch_datasets import _layout_readers as readers
from fersearch_datasets._fer2013_codes import FER2013
from fersearch_datasets._layout import Layout
from fersearch_datasets._listed import raw


class FromLayout(Dataset):
    """A dataset described by a row of the table."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        about = ("name", "summary", "licence", "expected", "options")
        vars(self).update({key: getattr(layout, key) for key in about})

    def files(self, source: Path) -> Sequence[Path]:
        list_files = self.layout.files
        return list_files(source, self.layout) if list_files else self.layout.read(source, self.layout).files()

    def read(self, source: Path, options: Mapping[str, Value]) -> Raw:
        layout = self.layout
        return raw(layout.read(source, layout), layout.classes, options, layout.figures)

    def steps(self, options: Mapping[str, Value]) -> list[dict[str, Any]] | None:
        from fersearch.data.step_lists import boxed

        if not self.layout.boxes:
            return super().steps(options)
        return boxed(int(options.get("image_size", 48)), int(options.get("channels", 1)))

    def label(self, columns: Mapping[str, Any], class_names: Sequence[str], params: Mapping[str, Value]) -> Labels:
        import numpy as np

        dropped = [class_name for name, values in self.layout.leaves_out.items() for class_name in values[params[name]]]
        included = [name for name in class_names if name not in dropped]
        place = np.array([included.index(name) if name in included else -1 for name in class_names], np.int64)
        hard = place[np.asarray(columns["label"])]
        split = np.where(hard < 0, -1, columns["split"]).astype(np.int8)
        return Labels(tuple(included), hard, split, subject=columns["subject"])


def _counts(labels: Sequence[str], *counts: int) -> dict[str, int]:
    return dict(zip(labels, counts, strict=True))


BASIC7 = EMOTIONS[:7]
OAHEGA = ("anger", "happiness", "neutral", "sadness", "surprise", "ahegao")
FED = ("amenability", "confusion", "aversion", "concentration")
LAYOUTS = (
    Layout(
        name="oahega",
        summary="OAHEGA: 15,453 RGB faces of mixed sizes, five classes (and one for adults, left out by default)",
        licence="OAHEGA: CC BY-NC-SA 4.0 (Kovenko and Shevchuk, Mendeley Data).",
        expected="dataset/ with the folders Angry, Happy, Neutral, Sad, Surprise (and Ahegao)",
        classes=in_order(OAHEGA),
        read=readers.class_tree,
        figures={"all": _counts(OAHEGA, 1313, 3740, 4027, 3934, 1234, 1205)},
        options={"ahegao": Choice("exclude", "include", search="exclude")},
        leaves_out={"ahegao": {"exclude": ("ahegao",), "include": ()}},
    ),
    Layout(
        name="fed2023",
        summary="FED-2023: 2,002 faces in four classes: amenability, concentration, confusion, aversion",
        licence="Facial Expression Detection 2023 (Patel): as its Kaggle page says.",
        expected="train/<class>/ and test/<class>/, or one folder per class: Agree, Think, Confusion, Aversion",
        classes=in_order(FED),
        read=readers.class_tree,
        figures={"train": _counts(FED, 239, 296, 394, 272), "test": _counts(FED, 189, 214, 238, 160)},
    ),
    Layout(
        name="affectnet",
        summary="AffectNet: 287,651 + 4,000 RGB faces from the web, eight classes; no public test",
        licence="AffectNet: non-commercial research, on request from its authors.",
        expected=(
            "train_set/ and val_set/ with images/N.jpg and annotations/N_exp.npy, "
            "or training.csv and validation.csv with the images"
        ),
        classes=EMOTIONS,
        read=affectnet.read,
        files=affectnet.files,
        figures={
            "train": _counts(affectnet.CLASS_NAMES, 74_874, 134_415, 25_459, 14_090, 6_378, 3_803, 24_882, 3_750),
            "valid": dict.fromkeys(EMOTIONS, 500),
        },
        options={"classes": Choice(7, 8, search="8")},
        leaves_out={"classes": {8: (), 7: ("contempt",)}},
        boxes=True,
    ),
    Layout(
        name="expw",
        summary="ExpW: 91,793 faces cut out of web photos by their boxes, seven classes",
        licence="ExpW: research only (MMLAB).",
        expected="label.lst (or label/label.lst) and the photos in image/ (or image/origin/)",
        classes=BASIC7,
        read=readers.boxes,
        figures={"all": _counts(FER2013, 3_671, 3_995, 1_088, 30_537, 10_559, 7_060, 34_883)},
        boxes=True,
    ),
    Layout(
        name="ferg",
        summary="FERG-DB: 55,767 drawn faces of six characters, 256x256 RGB, seven classes; subject is the character",
        licence="FERG-DB: research, by form (University of Washington).",
        expected="FERG_DB_256/<character>/<character>_<expression>/*.png",
        classes=BASIC7,
        read=readers.characters,
        figures={"all": 55_767},
    ),
    Layout(
        name="muxspace",
        summary="muxspace/facial_expressions: 13,690 photos of mixed sizes, eight classes, very unbalanced",
        licence="muxspace/facial_expressions: as its repository says.",
        expected="data/legend.csv (user.id,image,emotion) and images/",
        classes=EMOTIONS,
        read=readers.legend,
        figures={"all": _counts(EMOTIONS, 6868, 5696, 368, 268, 252, 208, 21, 9)},
    ),
)


@hookimpl
def register_datasets(register: Any) -> None:
    """Register every dataset of the table."""
    for layout in LAYOUTS:
        register(FromLayout(layout))

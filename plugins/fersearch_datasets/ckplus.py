"""CK+, the Extended Cohn-Kanade dataset: posed expressions from neutral to peak, as sequences of frames.

Lucey et al., "The Extended Cohn-Kanade Dataset (CK+)", CVPR Workshops 2010. Three forms are recognised by their
content: the original distribution, CK+48 (class folders) and ckextended.csv. Frames of one sequence are nearly equal,
so a split that ignores persons measures memory: where names give the person, no drawn split divides one.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fersearch import Choice, DataError, Dataset, Int, Labels, Raw, hookimpl
from fersearch.data.folders import roots
from fersearch.space import Value

if TYPE_CHECKING:
    from fersearch_datasets._ckplus_copies import ClassFolders, Table
    from fersearch_datasets._ckplus_original import Original

TABLES = ("ckextended.csv",)


class CkPlus(Dataset):
    """CK+ with eight classes, or seven where there is no neutral one: CK+48 has none.

    `frames` keeps the last n frames of each labelled sequence as its emotion; a row of ckextended.csv is one peak.
    `neutral` keeps neutral faces, which are the first frames of the labelled sequences in the original and a class of
    their own in ckextended.csv. It is on by default, as in the usual protocol; without it the seven classes of all
    three forms are the same. `crop` applies to the original's full frames: the square around the landmarks (the
    default), the middle square, or the whole frame squeezed into one.
    """

    name = "ckplus"
    summary = "CK+: 327 labelled sequences of 118 persons, seven classes and neutral first frames"
    licence = "CK+: research only, by signed agreement with its authors."
    expected = (
        "cohn-kanade-images/ and Emotion/ (the original, with Landmarks/ if there),"
        " or CK+48/ with a folder per class, or ckextended.csv"
    )
    decoding = {**Dataset.decoding, "crop": Choice("landmarks", "centre", "none", search="landmarks")}
    options = {"frames": Int(1, 3, search="3"), "neutral": Choice(True, False, search="true")}

    def files(self, source: Path) -> Sequence[Path]:
        return self._form(source).files()

    def read(self, source: Path, options: Mapping[str, Value]) -> Raw:
        from fersearch_datasets import _ckplus_original as original

        form = self._form(source)
        return form.read(options, self.steps(options)) if isinstance(form, original.Original) else form.read(options)

    def steps(self, options: Mapping[str, Value]) -> list[dict[str, Any]]:
        from fersearch.data.step_lists import cropped

        return cropped(options)

    def label(self, columns: Mapping[str, Any], class_names: Sequence[str], params: Mapping[str, Value]) -> Labels:
        import numpy as np

        hard = np.array(columns["label"], np.int64)
        included = np.asarray(columns["from_end"]) < int(params["frames"])
        names = tuple(class_names)
        if "neutral" in names and not params["neutral"]:
            place = names.index("neutral")
            included &= hard != place
            hard -= hard > place
            names = tuple(name for name in names if name != "neutral")
        hard[~included] = -1
        split = np.where(included, columns["split"], -1).astype(np.int8)
        return Labels(names, hard, split, subject=columns.get("subject"))

    def _form(self, source: Path) -> "Original | ClassFolders | Table":
        from fersearch_datasets import _ckplus_copies as copies
        from fersearch_datasets import _ckplus_original as original
        from fersearch_datasets import _fer2013_csv as fer2013_csv

        if source.is_file():
            if source.suffix.lower() != ".csv":
                raise DataError(f"{source} is not a CSV file", f"expected {self.expected}")
            return copies.Table(source)
        if whole := original.find(source):
            return whole
        table = next((table_path for root in roots(source) if (table_path := fer2013_csv.find(root, TABLES))), None)
        return copies.Table(table) if table else copies.ClassFolders(source, self.expected)


@hookimpl
def register_datasets(register: Any) -> None:
    """Register CK+."""
    register(CkPlus())

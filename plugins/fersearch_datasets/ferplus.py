"""FER+: the faces of FER2013 with ten votes each, in the target modes of its authors.

Barsoum et al., "Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label Distribution",
ICMI 2016. `classes` 8 with the `barsoum` filter is the protocol of the literature; `classes` 10 keeps every image
and takes the raw votes as they are, so its numbers are lower and not comparable.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fersearch import Choice, Dataset, Labels, Raw, hookimpl
from fersearch.space import Value

if TYPE_CHECKING:
    from fersearch_datasets._votes import Weights


class FerPlus(Dataset):
    """FER+ with 8 classes, 7 (without contempt) or 10 (unknown and not-a-face are classes).

    `filter` decides which images of 7 or 8 classes stay. `barsoum`: images on which the target's rule finds agreement,
    single votes not counted; valid and test always by the majority rule. `argmax`: images whose most frequent vote is
    an emotion. `none`: all with a vote for an emotion. With 10 classes every image stays. Where the authors' rules do
    not apply, targets come from the raw votes. `votes` is the plain distribution of all votes that count.
    """

    name = "ferplus"
    summary = "FER+: 35,710 grey 48x48 faces of FER2013 with ten votes each"
    licence = "FER+ labels: MIT (Microsoft). Images: FER2013, Kaggle competition rules, research only."
    expected = "FER2013Train/, FER2013Valid/, FER2013Test/ with label.csv, or fer2013.csv with fer2013new.csv"
    options = {
        "classes": Choice(7, 8, 10, search="8"),
        "filter": Choice("barsoum", "argmax", "none", search="barsoum", when={"classes": (7, 8)}),
    }
    targets = ("crossentropy", "majority", "probability", "multi_target", "votes")

    def files(self, source: Path) -> Sequence[Path]:
        from fersearch_datasets import _ferplus_layouts as layouts

        return layouts.find(source, self.expected).files()

    def read(self, source: Path, options: Mapping[str, Value]) -> Raw:
        from fersearch_datasets import _ferplus_layouts as layouts

        return layouts.find(source, self.expected).read(options)

    def label(self, columns: Mapping[str, Any], class_names: Sequence[str], params: Mapping[str, Value]) -> Labels:
        import numpy as np

        from fersearch_datasets import _votes

        classes, target = int(params["classes"]), str(params["target"])
        weights = _counted(columns["votes"], columns["split"], params)
        hard = weights.argmax(1).astype(np.int64)
        weights = weights[:, :classes]
        included = (weights.sum(1) > 0) & (hard < classes)
        hard[~included] = -1
        split = np.where(included, columns["split"], -1).astype(np.int8)
        lessons = _votes.several(weights) if target == "multi_target" else _votes.distribution(weights)
        soft = None if target == "majority" else np.where(included[:, None], lessons, 0).astype(np.float32)
        return Labels(tuple(class_names[:classes]), hard, split, soft)


def _counted(raw: Any, split: Any, params: Mapping[str, Value]) -> "Weights":
    """Return the votes that count for each image, float32 (n, 8 or 10); zeros for one that the filter leaves out."""
    import numpy as np

    from fersearch_datasets import _votes

    if params["classes"] == 10:
        return np.asarray(raw).astype(np.float32)
    if params["filter"] == "none":
        return np.asarray(raw)[:, : _votes.EMOTIONS].astype(np.float32)
    if params["filter"] == "argmax":
        return _votes.drop_unknown(np.asarray(raw))[:, : _votes.EMOTIONS]
    lesson, exam = _votes.select(raw, str(params["target"])), _votes.select(raw, "majority")
    return np.where(np.asarray(split)[:, None] == 0, lesson, exam)[:, : _votes.EMOTIONS]


@hookimpl
def register_datasets(register: Any) -> None:
    """Register FER+."""
    register(FerPlus())

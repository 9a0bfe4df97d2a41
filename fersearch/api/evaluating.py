"""How good a checkpoint is on a dataset, its own or another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fersearch.api.checkpoints import digest_of, open_checkpoint
from fersearch.api.context import notices, open_store
from fersearch.api.exams import Exam, Progress, Sitting, sit
from fersearch.errors import FersearchError, NoDatabase
from fersearch.store import Store

if TYPE_CHECKING:
    import numpy as np

    from fersearch.training.scores import Scores

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class EvaluationView:
    """How good a checkpoint is on one split.

    `metrics`, `per_class` and `confusion` (true class by row) are about `classes`. Where checkpoint and dataset
    share only these, they hold for answers restricted to them, and `full` holds what comes of
    answers from all outputs, where another output is an error. `shared` has the checkpoint's word for each
    class of the dataset, `left_out` how many images of other classes were not judged, `spare` the outputs
    that answer no class. `per_source` has `n`, `accuracy` and `baseline` (always the commonest class) of each
    dataset of merged data. `duplicates` counts the images left out as repetitions of training images.
    `looks` counts the openings of test so far, this one included.
    """

    dataset: str
    split: str
    n: int
    classes: tuple[str, ...]
    metrics: Mapping[str, float]
    confusion: Sequence[Sequence[int]]
    looks: int | None = None
    per_class: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    per_source: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    shared: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)
    spare: tuple[str, ...] = ()
    full: "Scores | None" = None
    duplicates: int | None = None


def evaluate(
    checkpoint: Path,
    dataset: str | None = None,
    *,
    data: Path | None = None,
    split: str = "valid",
    dataset_options: Mapping[str, str] | None = None,
    tta: str | None = None,
    label_map: Mapping[str, str] | None = None,
    no_duplicates: bool = False,
    trust_plugin: bool = False,
    storage: str | None = None,
    progress: Progress | None = None,
) -> EvaluationView:
    """How good a checkpoint is on a split, under the options recorded in it unless overridden.

    What the arguments mean is told at `Exam`. Opening a test split is counted: each look is a row in the database.

    Raises:
        UsageError: the dataset shares fewer than two classes with the checkpoint.
        DataError: the dataset is missing or broken, or has no such split.
    """
    given = (dataset_options or {}, tta, label_map or {}, no_duplicates, trust_plugin, storage)
    exam = Exam(dataset, data, split, *given)
    return judge(checkpoint, sit(checkpoint, exam, progress), exam)


def judge(checkpoint: Path, sitting: Sitting, exam: Exam) -> EvaluationView:
    """Let the checkpoint answer, and score its answers; a look at test is recorded."""
    from fersearch.training.ensemble import answers
    from fersearch.training.scores import score

    crossing, labels = sitting.crossing, sitting.labels
    restored = open_checkpoint(checkpoint, sitting.registry)
    shares = answers(restored, sitting.loaded.images, sitting.rows, exam.tta)
    _check_finite(checkpoint, shares)
    metrics = sitting.registry.metrics
    if crossing.whole:
        full, scores = None, score(shares, labels, crossing.model, metrics)
    else:
        full = score(shares, labels, crossing.model, metrics, crossing.outputs)
        shares, labels = crossing.restricted(shares), crossing.positions(labels)
        scores = score(shares, labels, crossing.class_names, metrics)
    name, n = exam.dataset or sitting.card["dataset"]["name"], len(labels)
    opened = exam.split in ("test", "all")
    return EvaluationView(
        name,
        exam.split,
        n,
        scores.classes,
        scores.metrics,
        scores.confusion,
        looks=_look(checkpoint, sitting.card, name, exam, n, scores.metrics) if opened else None,
        per_class=scores.per_class,
        per_source=_by_source(sitting, shares, labels),
        shared=crossing.pairs,
        left_out=sitting.left_out,
        spare=crossing.spare,
        full=full,
        duplicates=sitting.duplicates,
    )


def _check_finite(checkpoint: Path, shares: "Array") -> None:
    import numpy as np

    if not np.isfinite(shares).all():
        raise FersearchError(f"{checkpoint} answers with numbers that are not finite", "its weights are of no use")


def _by_source(sitting: Sitting, shares: "Array", labels: "Array") -> dict[str, dict[str, float]]:
    import numpy as np

    if sitting.loaded.source is None:
        return {}
    sources, right = np.asarray(sitting.loaded.source)[sitting.rows], shares.argmax(1) == labels
    return {
        str(name): {
            "n": int((sources == name).sum()),
            "accuracy": float(right[sources == name].mean()),
            "baseline": float(np.bincount(labels[sources == name]).max() / (sources == name).sum()),
        }
        for name in np.unique(sources)
    }


def _look(path: Path, card: Mapping[str, Any], dataset: str, exam: Exam, n: int, values: Mapping[str, float]) -> int:
    digest = digest_of(path)
    try:
        with open_store(exam.storage) as store:
            owners = _owners(store, card, digest) or [None]
            return max(store.add_look(owner, digest, dataset, exam.split, n, values) for owner in owners)
    except NoDatabase as none:
        notices.append(f"this look at the {exam.split} split is recorded nowhere: {none.message}")
        return 1


def _owners(store: Store, card: Mapping[str, Any], digest: str) -> Sequence[str | None]:
    """The random ids of the studies here whose model it is; where the card names none, of those that keep its files."""
    uids = card.get("study_ids") or [uid for uid in [card.get("study_id")] if uid]
    if uids:
        return store.known_studies(uids)
    return store.studies_keeping([digest, *(member["digest"] for member in card.get("members", ()))])

"""How good a checkpoint, or every checkpoint of a folder, is on a dataset, its own or another."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fersearch.checkpoint_folder import CARD, WEIGHTS, digest_of, is_ensemble, open_checkpoint
from fersearch.context import notices, open_store
from fersearch.errors import FersearchError, NoDatabase, UsageError
from fersearch.evaluation.request import Exam, Progress, Sitting, sit
from fersearch.files import refuse_existing_file, write_atomic
from fersearch.store import Store

if TYPE_CHECKING:
    import numpy as np

    from fersearch.training.evaluate import Scores

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
    from fersearch.ensembles.model import answers
    from fersearch.training.evaluate import judge_scores

    crossing, labels = sitting.crossing, sitting.labels
    restored = open_checkpoint(checkpoint, sitting.registry)
    shares = answers(restored, sitting.loaded.images, sitting.rows, exam.tta)
    _check_finite(checkpoint, shares)
    metrics = sitting.registry.metrics
    if crossing.whole:
        full, scores = None, judge_scores(shares, labels, crossing.model, metrics)
    else:
        full = judge_scores(shares, labels, crossing.model, metrics, crossing.outputs)
        shares, labels = crossing.restricted(shares), crossing.positions(labels)
        scores = judge_scores(shares, labels, crossing.class_names, metrics)
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


@dataclass(frozen=True)
class Examined:
    """A checkpoint with what came of its exam: either `view`, or `error` where it could not be judged."""

    checkpoint: Path
    view: EvaluationView | None = None
    error: FersearchError | None = None


def holds_checkpoints(path: Path) -> bool:
    """Whether a path is a folder of checkpoints, and not one itself."""
    return path.is_dir() and not _is_checkpoint(path)


def evaluate_folder(folder: Path, exam: Exam | None = None, progress: Progress | None = None) -> list[Examined]:
    """Ask every checkpoint below a folder the same; one that cannot be judged is told and the others go on.

    Raises:
        UsageError: there is no checkpoint, or they answer different classes.
        FersearchError: all of them fail for one reason.
    """
    exam, paths = exam or Exam(), list(_below(folder))
    if not paths:
        raise UsageError(f"no checkpoint in {folder}", "get one by: fersearch checkpoint pull STUDY")
    seated: dict[Path, Sitting | FersearchError] = {path: _seated(path, exam, progress) for path in paths}
    _refuse_different_classes({path: found for path, found in seated.items() if isinstance(found, Sitting)})
    told = [_examined(path, found, exam) for path, found in seated.items()]
    reasons = {str(one.error): one.error for one in told}
    first = next(iter(reasons.values()))
    if len(reasons) == 1 and first is not None:
        raise first
    return told


def write_csv(path: Path, found: Sequence[Examined], force: bool = False) -> None:
    """Write one row a checkpoint: what it was asked, every metric, and why it could not be judged.

    Raises:
        UsageError: the file exists, unless it may be replaced.
    """
    refuse_existing_file(path, force)
    views = [one.view for one in found if one.view]
    metrics = list(dict.fromkeys(name for view in views for name in view.metrics))
    full = [f"full_{name}" for name in metrics] if any(view.full for view in views) else []
    text = io.StringIO()
    rows = csv.DictWriter(text, ["checkpoint", "dataset", "split", "n", *metrics, *full, "error"], lineterminator="\n")
    rows.writeheader()
    rows.writerows(_row(one) for one in found)
    write_atomic(path, text.getvalue().encode())


def _row(one: Examined) -> dict[str, object]:
    if one.view is None:
        return {"checkpoint": str(one.checkpoint), "error": one.error.message if one.error else ""}
    view = one.view
    full = {f"full_{name}": value for name, value in view.full.metrics.items()} if view.full else {}
    asked = {"checkpoint": str(one.checkpoint), "dataset": view.dataset, "split": view.split, "n": view.n}
    return {**asked, **view.metrics, **full}


def _is_checkpoint(folder: Path) -> bool:
    return (folder / WEIGHTS).is_file() or (folder / CARD).is_file() or is_ensemble(folder)


def _below(folder: Path) -> Iterator[Path]:
    """Folders of checkpoints and loose files of weights, sorted."""
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from (entry,) if _is_checkpoint(entry) else _below(entry)
        elif entry.suffix == ".safetensors":
            yield entry


def _seated(path: Path, exam: Exam, progress: Progress | None) -> Sitting | FersearchError:
    try:
        return sit(path, exam, progress)
    except FersearchError as error:
        return error


def _examined(path: Path, found: Sitting | FersearchError, exam: Exam) -> Examined:
    if isinstance(found, FersearchError):
        return Examined(path, error=found)
    try:
        return Examined(path, judge(path, found, exam))
    except FersearchError as error:
        return Examined(path, error=error)


def _refuse_different_classes(seated: Mapping[Path, Sitting]) -> None:
    """One table compares only what answers the same classes of the same images."""
    kinds: dict[frozenset[frozenset[str]], tuple[Path, Sitting]] = {}
    for path, sitting in seated.items():
        words = sitting.crossing.pairs
        together = [[name for name in words if words[name] == output] for output in words.values()]
        kinds.setdefault(frozenset(map(frozenset, together)), (path, sitting))
    if len(kinds) > 1:
        (one, first), (other, second), *_ = kinds.values()
        lists = "\n  ".join(f"{path}: {', '.join(at.crossing.pairs)}" for path, at in ((one, first), (other, second)))
        raise UsageError(
            "the checkpoints answer different classes, which one table cannot compare",
            f"{lists}\n  evaluate them apart, or make them share classes with --map",
        )

"""Evaluates a checkpoint, or every checkpoint of a folder, on its own dataset or another."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fersearch.checkpoint_folder import CARD, WEIGHTS, digest_of, is_ensemble, open_checkpoint
from fersearch.context import notices, open_store
from fersearch.errors import FersearchError, NoDatabase, UsageError
from fersearch.evaluation.request import EvaluationInput, EvaluationRequest, Progress, open_input
from fersearch.files import refuse_existing_file, write_atomic
from fersearch.store import Store

if TYPE_CHECKING:
    import numpy as np

    from fersearch.training.evaluate import Scores

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class EvaluationView:
    """The scores of a checkpoint on one split.

    `metrics`, `per_class` and `confusion` (true class by row) are about `classes`. Where checkpoint and dataset
    share only these, they hold for predictions restricted to them, and `full` holds the scores of
    predictions from all outputs, where another output is an error. `shared` has the checkpoint's name of each
    class of the dataset, `left_out` how many images of other classes were not evaluated, `spare` the outputs
    without a class. `per_source` has `n`, `accuracy` and `baseline` (always the commonest class) of each
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
    """Return the scores of a checkpoint on a split, under the options recorded in it unless overridden.

    `EvaluationRequest` describes the arguments. Opening a test split is counted: each look is a row in the database.

    Raises:
        UsageError: the dataset shares fewer than two classes with the checkpoint.
        DataError: the dataset is missing or broken, or has no such split.
    """
    request = EvaluationRequest(
        dataset, data, split, dataset_options or {}, tta, label_map or {}, no_duplicates, trust_plugin, storage
    )
    return evaluate_checkpoint(checkpoint, open_input(checkpoint, request, progress), request)


def evaluate_checkpoint(checkpoint: Path, opened: EvaluationInput, request: EvaluationRequest) -> EvaluationView:
    """Predict with the checkpoint and score the predictions; a look at test is recorded."""
    from fersearch.ensembles.model import answers
    from fersearch.training.evaluate import score_predictions

    crossing, labels = opened.crossing, opened.labels
    restored = open_checkpoint(checkpoint, opened.registry)
    shares = answers(restored, opened.loaded.images, opened.rows, request.tta)
    _check_finite(checkpoint, shares)
    metrics = opened.registry.metrics
    if crossing.whole:
        full, scores = None, score_predictions(shares, labels, crossing.model, metrics)
    else:
        full = score_predictions(shares, labels, crossing.model, metrics, crossing.outputs)
        shares, labels = crossing.restricted(shares), crossing.positions(labels)
        scores = score_predictions(shares, labels, crossing.class_names, metrics)
    name, n = request.dataset or opened.card["dataset"]["name"], len(labels)
    looked = request.split in ("test", "all")
    return EvaluationView(
        name,
        request.split,
        n,
        scores.classes,
        scores.metrics,
        scores.confusion,
        looks=_look(checkpoint, opened.card, name, request, n, scores.metrics) if looked else None,
        per_class=scores.per_class,
        per_source=_by_source(opened, shares, labels),
        shared=crossing.pairs,
        left_out=opened.left_out,
        spare=crossing.spare,
        full=full,
        duplicates=opened.duplicates,
    )


def _check_finite(checkpoint: Path, shares: "Array") -> None:
    import numpy as np

    if not np.isfinite(shares).all():
        raise FersearchError(f"{checkpoint} predicts probabilities that are not finite", "its weights are unusable")


def _by_source(opened: EvaluationInput, shares: "Array", labels: "Array") -> dict[str, dict[str, float]]:
    import numpy as np

    if opened.loaded.source is None:
        return {}
    sources, right = np.asarray(opened.loaded.source)[opened.rows], shares.argmax(1) == labels
    return {
        str(name): {
            "n": int((sources == name).sum()),
            "accuracy": float(right[sources == name].mean()),
            "baseline": float(np.bincount(labels[sources == name]).max() / (sources == name).sum()),
        }
        for name in np.unique(sources)
    }


def _look(
    path: Path, card: Mapping[str, Any], dataset: str, request: EvaluationRequest, n: int, values: Mapping[str, float]
) -> int:
    digest = digest_of(path)
    try:
        with open_store(request.storage) as store:
            owners = _owners(store, card, digest) or [None]
            return max(store.add_look(owner, digest, dataset, request.split, n, values) for owner in owners)
    except NoDatabase as none:
        notices.append(f"this look at the {request.split} split is not recorded: {none.message}")
        return 1


def _owners(store: Store, card: Mapping[str, Any], digest: str) -> Sequence[str | None]:
    """Return the random ids of the studies here to which a model belongs; where the card names none, of the studies
    that keep its files."""
    uids = card.get("study_ids") or [uid for uid in [card.get("study_id")] if uid]
    if uids:
        return store.known_studies(uids)
    return store.studies_keeping([digest, *(member["digest"] for member in card.get("members", ()))])


@dataclass(frozen=True)
class CheckpointEvaluation:
    """A checkpoint with the result of its request: either `view`, or `error` where it could not be evaluated."""

    checkpoint: Path
    view: EvaluationView | None = None
    error: FersearchError | None = None


def holds_checkpoints(path: Path) -> bool:
    """Return whether a path is a folder of checkpoints rather than a checkpoint."""
    return path.is_dir() and not _is_checkpoint(path)


def evaluate_folder(
    folder: Path, request: EvaluationRequest | None = None, progress: Progress | None = None
) -> list[CheckpointEvaluation]:
    """Evaluate every checkpoint below a folder by the same request; failures are reported and the others go on.

    Raises:
        UsageError: there is no checkpoint, or they predict different classes.
        FersearchError: all of them fail for one reason.
    """
    request, paths = request or EvaluationRequest(), list(_below(folder))
    if not paths:
        raise UsageError(f"no checkpoint in {folder}", "pull one: fersearch checkpoint pull STUDY")
    inputs: dict[Path, EvaluationInput | FersearchError] = {path: _input_of(path, request, progress) for path in paths}
    _refuse_different_classes({path: opened for path, opened in inputs.items() if isinstance(opened, EvaluationInput)})
    evaluations = [_evaluation_of(path, opened, request) for path, opened in inputs.items()]
    reasons = {str(one.error): one.error for one in evaluations}
    first = next(iter(reasons.values()))
    if len(reasons) == 1 and first is not None:
        raise first
    return evaluations


def write_csv(path: Path, evaluations: Sequence[CheckpointEvaluation], force: bool = False) -> None:
    """Write one row per checkpoint: the request, every metric, and the error where it could not be evaluated.

    Raises:
        UsageError: the file exists, unless it may be replaced.
    """
    refuse_existing_file(path, force)
    views = [one.view for one in evaluations if one.view]
    metrics = list(dict.fromkeys(name for view in views for name in view.metrics))
    full = [f"full_{name}" for name in metrics] if any(view.full for view in views) else []
    text = io.StringIO()
    rows = csv.DictWriter(text, ["checkpoint", "dataset", "split", "n", *metrics, *full, "error"], lineterminator="\n")
    rows.writeheader()
    rows.writerows(_row(one) for one in evaluations)
    write_atomic(path, text.getvalue().encode())


def _row(one: CheckpointEvaluation) -> dict[str, object]:
    if one.view is None:
        return {"checkpoint": str(one.checkpoint), "error": one.error.message if one.error else ""}
    view = one.view
    full = {f"full_{name}": value for name, value in view.full.metrics.items()} if view.full else {}
    context = {"checkpoint": str(one.checkpoint), "dataset": view.dataset, "split": view.split, "n": view.n}
    return {**context, **view.metrics, **full}


def _is_checkpoint(folder: Path) -> bool:
    return (folder / WEIGHTS).is_file() or (folder / CARD).is_file() or is_ensemble(folder)


def _below(folder: Path) -> Iterator[Path]:
    """Yield folders of checkpoints and loose files of weights, sorted."""
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from (entry,) if _is_checkpoint(entry) else _below(entry)
        elif entry.suffix == ".safetensors":
            yield entry


def _input_of(path: Path, request: EvaluationRequest, progress: Progress | None) -> EvaluationInput | FersearchError:
    try:
        return open_input(path, request, progress)
    except FersearchError as error:
        return error


def _evaluation_of(
    path: Path, opened: EvaluationInput | FersearchError, request: EvaluationRequest
) -> CheckpointEvaluation:
    if isinstance(opened, FersearchError):
        return CheckpointEvaluation(path, error=opened)
    try:
        return CheckpointEvaluation(path, evaluate_checkpoint(path, opened, request))
    except FersearchError as error:
        return CheckpointEvaluation(path, error=error)


def _refuse_different_classes(inputs: Mapping[Path, EvaluationInput]) -> None:
    """Raise UsageError unless all predict the same classes, as one table can only compare those."""
    kinds: dict[frozenset[frozenset[str]], tuple[Path, EvaluationInput]] = {}
    for path, opened in inputs.items():
        pairs = opened.crossing.pairs
        together = [[name for name in pairs if pairs[name] == output] for output in pairs.values()]
        kinds.setdefault(frozenset(map(frozenset, together)), (path, opened))
    if len(kinds) > 1:
        (one, first), (other, second), *_ = kinds.values()
        lists = "\n  ".join(f"{path}: {', '.join(at.crossing.pairs)}" for path, at in ((one, first), (other, second)))
        raise UsageError(
            "the checkpoints predict different classes, which one table cannot compare",
            f"{lists}\n  evaluate them separately, or make them share classes with --map",
        )

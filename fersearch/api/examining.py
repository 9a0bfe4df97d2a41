"""Every checkpoint of a folder, asked the same."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fersearch.api.checkpoints import CARD, WEIGHTS, is_ensemble
from fersearch.api.evaluating import EvaluationView, judge
from fersearch.api.exams import Exam, Progress, Sitting, sit
from fersearch.errors import FersearchError, UsageError
from fersearch.files import write_atomic


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


def refuse_existing_file(path: Path, force: bool) -> None:
    """Raise UsageError if a file exists, unless it may be replaced, or is a folder."""
    if path.is_dir():
        raise UsageError(f"{path} is a folder", "name a file in it")
    if path.exists() and not force:
        raise UsageError(f"{path} exists", "name another file, or --force to replace it")


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

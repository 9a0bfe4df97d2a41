"""Cross-validation by scikit-learn's splitters: which rows of a pool validate in a fold."""

import warnings
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fersearch.components import Labels
from fersearch.errors import DataError

Ints = npt.NDArray[np.int64]


def fold(
    count: int,
    folds: int,
    number: int,
    seed: int,
    hard: Ints | None,
    groups: Ints | None,
    names: Sequence[str] = (),
) -> npt.NDArray[np.bool_]:
    """Which of `count` rows validate in fold `number` (from 0) of `folds`.

    Whole groups stay together where `groups` are given; shares of classes are kept where `hard` is.

    Raises:
        DataError: there are fewer rows, fewer groups, or fewer rows of a class (its name out of `names`), than folds.
    """
    from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

    parts = count if groups is None else len(np.unique(groups))
    if parts < folds:
        what = "images" if groups is None else "subjects"
        raise DataError(f"{parts} {what} cannot be divided into {folds} folds", f"use {parts} folds or fewer")
    if hard is not None:
        _refuse_rare(hard, folds, names)
    options = {"n_splits": folds, "shuffle": True, "random_state": seed}
    if groups is not None:
        splitter = GroupKFold(**options) if hard is None else StratifiedGroupKFold(**options)
    else:
        splitter = KFold(**options) if hard is None else StratifiedKFold(**options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class of fewer subjects than folds is in some of them
        chosen = [valid for _, valid in splitter.split(np.zeros(count), hard, groups)][number]
    mask = np.zeros(count, bool)
    mask[chosen] = True
    return mask


def known_subjects(labels: Labels, rows: Ints) -> tuple[npt.NDArray[np.str_], npt.NDArray[np.str_]]:
    """The subject of each row, as text, "" where it is not known; and the names of all, sorted.

    Raises:
        DataError: fewer than two subjects are known.
    """
    given = labels.subject if labels.subject is not None else np.full(len(labels.hard), "")
    subjects = np.asarray(given).astype(str)[rows]
    names = np.unique(subjects[subjects != ""])
    if len(names) < 2:
        raise DataError(
            "leaving one subject out needs a dataset that knows two subjects or more",
            "use split = kfold, or a dataset whose names carry the subject",
        )
    return subjects, names


def _refuse_rare(hard: Ints, folds: int, names: Sequence[str]) -> None:
    """Raise DataError where a class has fewer images than there are folds: in one of them nothing would judge it."""
    labels, counts = np.unique(hard, return_counts=True)
    least = int(counts.min())
    if least < folds:
        label = int(labels[counts.argmin()])
        name = f"'{names[label]}'" if 0 <= label < len(names) else str(label)
        raise DataError(
            f"class {name} has {least} image{'s' if least > 1 else ''}, which cannot be divided into {folds} folds",
            f"use {least} folds or fewer, leave the class out, or draw without regard to classes: by = chance"
            if least > 1
            else "leave the class out, or draw without regard to classes: by = chance",
        )

"""What the sources of a merged dataset bring, and how much of the answer the source alone gives away.

Where a class comes from one source only, a model can tell it by the camera instead of the face; accuracy then
measures which data set an image is from. Both are counted here, so that a person sees it before a study.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fersearch.data.folders import PARTS

Ints = npt.NDArray[np.int64]
Names = npt.NDArray[np.str_]
MUCH = 0.02


def count(source: Names, hard: Ints, part: Ints, classes: Sequence[str]) -> dict[str, dict[str, Any]]:
    """For each source its images `n`, those in each of the `splits`, `per_class`, and `baseline`.

    `baseline` is the accuracy, within the source, of always answering the source's most common class. `part` is -1
    where an image is left out; `source` (n) names the source of each image.
    """
    names, first = np.unique(source, return_index=True)
    counted: dict[str, dict[str, Any]] = {}
    for name in (str(names[k]) for k in np.argsort(first)):
        own = (source == name) & (part >= 0)
        per_class = np.bincount(hard[own], minlength=len(classes)).tolist()
        counted[name] = {
            "n": sum(per_class),
            "splits": {PARTS[k]: int((part[own] == k).sum()) for k in range(len(PARTS)) if (part == k).any()},
            "per_class": dict(zip(classes, per_class, strict=True)),
            "baseline": max(per_class) / sum(per_class) if sum(per_class) else 0.0,
        }
    return counted


def alone(counted: Mapping[str, Mapping[str, Any]], classes: Sequence[str]) -> list[str]:
    """Warnings about classes that one source alone brings, or none."""
    bring = {name: [source for source in counted if counted[source]["per_class"][name]] for name in classes}
    findings = []
    for source in counted:
        own = [name for name, sources in bring.items() if sources == [source]]
        if own and len(counted) > 1:
            what = f"class {own[0]} comes" if len(own) == 1 else f"classes {', '.join(own)} come"
            findings.append(f"{what} from {source} alone: a model can learn the camera instead of the face")
    empty = [name for name, sources in bring.items() if not sources]
    if empty:
        findings.append(f"no source has an image of {', '.join(empty)}")
    silent = [source for source in counted if not counted[source]["n"]]
    return findings + [f"source {source} brings no image of any class" for source in silent]


def known_by_source(source: Names, hard: Ints, part: Ints, judged: int) -> tuple[float, float]:
    """Accuracy on part `judged` of knowing only an image's source, and of knowing nothing (the majority class).

    The answer is the most common train class, of the source in the first figure; a source without train images gets
    the most common of all.
    """
    train, rows = part == 0, part == judged
    common = int(np.bincount(hard[train]).argmax())
    guess = np.full(len(hard), common, np.int64)
    for name in np.unique(source[train]):
        own = source == name
        guess[own] = int(np.bincount(hard[own & train]).argmax())
    return float((guess[rows] == hard[rows]).mean()), float((common == hard[rows]).mean())


def confounded(source: Names, hard: Ints, part: Ints) -> tuple[str, bool]:
    """What knowing only the source is worth on valid, in words, and whether that deserves a look."""
    by_source, by_nothing = known_by_source(source, hard, part, 1)
    told = (
        f"{by_source:.1%} of valid are answered by knowing only the source (majority-class baseline {by_nothing:.1%})"
    )
    return told, by_source - by_nothing > MUCH

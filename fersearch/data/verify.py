"""The content of a dataset and its problems: counts, shares, duplicates, constant images, subjects, sources.

Where a class comes from one source only, a model can recognise it by the camera instead of the face; accuracy then
measures which dataset an image is from. Sources are counted here, so that a person sees it before a study.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from fersearch.components import Dataset
from fersearch.data.digests import pixel_digest
from fersearch.data.folders import PARTS, printable
from fersearch.data.labels import lookalikes
from fersearch.data.near_check import NearDuplicates, near_duplicates
from fersearch.data.prepared import Prepared, map_array
from fersearch.data.views import view
from fersearch.errors import DataError
from fersearch.space import Value
from fersearch.study import Protocol

Ints = npt.NDArray[np.int64]
Names = npt.NDArray[np.str_]
MUCH = 0.02


@dataclass(frozen=True)
class Report:
    """What was checked (`rows`: check and result) and what deserves attention (`findings`).

    `splits` maps each part to its number of images `n`, its images `per_class`, and its `baseline`: the accuracy of
    always answering the most common class of train. `near` counts nearly equal images by pairs of parts.
    """

    dataset: str
    classes: tuple[str, ...]
    splits: dict[str, dict[str, Any]]
    rows: tuple[tuple[str, str], ...]
    findings: tuple[str, ...]
    near: tuple[NearDuplicates, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return {
            "dataset": self.dataset,
            "classes": list(self.classes),
            "splits": self.splits,
            "rows": [list(row) for row in self.rows],
            "findings": list(self.findings),
            "near_duplicates": [one.to_json() for one in self.near],
        }


@dataclass(frozen=True)
class _Seen:
    """One view of a dataset, as the checks read it: `part` is -1 where an image is left out."""

    classes: tuple[str, ...]
    hard: Ints
    part: Ints
    prepared: Prepared
    source: npt.NDArray[np.str_] | None
    untaught: tuple[str, ...] = ()

    @property
    def rows(self) -> Ints:
        return np.flatnonzero(self.part >= 0)


def show(
    dataset: Dataset,
    prepared: Prepared,
    params: Mapping[str, Value],
    protocol: Protocol | None = None,
    limit: int | None = None,
) -> dict[str, Any]:
    """Return the classes in order, and for each part of the split n and the images per class, after filtering.

    Where several datasets are merged, also the counts of each of the `sources`, and `findings` about them.

    Raises:
        DataError: the dataset leaves no image for train or valid.
    """
    seen = _see(dataset, prepared, params, protocol, limit)
    facts: dict[str, Any] = {"classes": list(seen.classes), "splits": _splits(seen)}
    if seen.untaught:
        facts["findings"] = list(seen.untaught)
    if seen.source is None:
        return facts
    findings = [*seen.untaught, *(text for _, text, is_finding in _sources(seen) if is_finding)]
    return {**facts, "sources": _counted(seen), "findings": findings}


def verify(
    dataset: Dataset,
    prepared: Prepared,
    params: Mapping[str, Value],
    protocol: Protocol | None = None,
    limit: int | None = None,
) -> Report:
    """Run every check on a prepared dataset; findings are warnings, never a failure.

    Raises:
        DataError: the dataset leaves no image for train or valid.
    """
    seen = _see(dataset, prepared, params, protocol, limit)
    splits = _splits(seen)
    rows = [("files", f"{prepared.files:,}"), ("images", _images(seen)), ("classes", ", ".join(seen.classes))]
    rows += [(name, _part_row(part)) for name, part in splits.items()]
    findings = [*findings_of(prepared, seen.classes), *seen.untaught, *_rare(seen.classes, splits)]
    checks = [one for check in (_sources, _constants, _votes, _subjects, _duplicates) for one in check(seen)]
    near, near_checks = _near(seen)
    for name, text, is_finding in (*checks, *near_checks):
        rows.append((name, text))
        if is_finding:
            findings.append(f"{name}: {text}")
    rows.append(("content", prepared.digest))
    return Report(dataset.name, seen.classes, splits, tuple(rows), tuple(findings), tuple(near))


Check = list[tuple[str, str, bool]]


def findings_of(prepared: Prepared, classes: Sequence[str]) -> list[str]:
    """Return the findings of reading and decoding a dataset, and class names that look like one class."""
    return list(dict.fromkeys((*prepared.findings, *lookalikes(classes))))


def _see(
    dataset: Dataset,
    prepared: Prepared,
    params: Mapping[str, Value],
    protocol: Protocol | None,
    limit: int | None,
) -> _Seen:
    folder = view(dataset, prepared, params, protocol or Protocol(), limit)
    facts = json.loads((folder / "view.json").read_text(encoding="utf-8"))
    part = np.full(prepared.count, -1, np.int64)
    for k, name in enumerate(PARTS):
        part[map_array(folder / f"{name}.npy")] = k
    source = map_array(folder / "source.npy") if (folder / "source.npy").exists() else None
    return _Seen(
        tuple(facts["class_names"]), map_array(folder / "hard.npy"), part, prepared, source, tuple(facts["untaught"])
    )


def _splits(seen: _Seen) -> dict[str, dict[str, Any]]:
    common = int(np.bincount(seen.hard[seen.part == 0], minlength=len(seen.classes)).argmax())
    splits: dict[str, dict[str, Any]] = {}
    for k, name in enumerate(PARTS):
        counts = np.bincount(seen.hard[seen.part == k], minlength=len(seen.classes)).tolist()
        if sum(counts):
            per_class = dict(zip(seen.classes, counts, strict=True))
            splits[name] = {"n": sum(counts), "per_class": per_class, "baseline": counts[common] / sum(counts)}
    return splits


def _images(seen: _Seen) -> str:
    prepared = seen.prepared
    colour = "grey" if prepared.channels == 1 else "RGB"
    left_out = prepared.count - len(seen.rows)
    left_out_text = f", {left_out:,} left out by the options" if left_out else ""
    return f"{prepared.count:,} of {prepared.image_size}x{prepared.image_size} {colour}{left_out_text}"


def _part_row(part: Mapping[str, Any]) -> str:
    shares = ", ".join(f"{name} {n:,} ({n / part['n']:.1%})" for name, n in part["per_class"].items())
    counts = sorted(part["per_class"].values())
    two = f", the two largest classes together {sum(counts[-2:]) / part['n']:.1%}" if len(counts) > 2 else ""
    return f"{part['n']:,}: {shares}; majority-class baseline {part['baseline']:.1%}{two}"


def _rare(classes: tuple[str, ...], splits: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return [
        f"{name} has no image of {label}"
        for name, part in splits.items()
        for label in classes
        if not part["per_class"][label]
    ]


def _counted(seen: _Seen) -> dict[str, dict[str, Any]]:
    """Return the counts of each source; empty where the dataset has only itself as source."""
    return {} if seen.source is None else count(seen.source, seen.hard, seen.part, seen.classes)


def _sources(seen: _Seen) -> Check:
    """Return the counts of the sources of a merged dataset, and how much of the label they reveal."""
    if seen.source is None:
        return []
    counted = _counted(seen)
    checks: Check = [(f"source {name}", _source_row(facts), False) for name, facts in counted.items()]
    checks += [("sources", text, True) for text in alone(counted, seen.classes)]
    text, is_finding = confounded(seen.source, seen.hard, seen.part)
    return [*checks, ("sources", text, is_finding)]


def _source_row(facts: Mapping[str, Any]) -> str:
    shares = ", ".join(f"{name} {n:,}" for name, n in facts["per_class"].items() if n)
    return f"{facts['n']:,}: {shares}; majority-class baseline {facts['baseline']:.1%}"


def _constants(seen: _Seen) -> Check:
    flat = [row for row in seen.rows if (pixels := seen.prepared.images[row]).max() == pixels.min()]
    return [("constant images", _with_names(seen, flat) if flat else "none", bool(flat))]


def _votes(seen: _Seen) -> Check:
    votes = seen.prepared.columns.get("votes")
    if votes is None:
        return []
    sums = np.asarray(votes)[seen.rows].sum(1)
    usual = int(np.bincount(sums).argmax())
    other = seen.rows[sums != usual].tolist()
    text = f"{usual} an image" + (f" but for {_with_names(seen, other)}" if other else "")
    return [("votes", text, bool(other))]


def _subjects(seen: _Seen) -> Check:
    column = seen.prepared.columns.get("subject")
    if column is None:
        return []
    known = [set(np.asarray(column)[seen.part == k].tolist()) - {""} for k in range(len(PARTS))]
    if not any(known):
        return []
    checks: Check = [("subjects", f"{len(set.union(*known)):,}", False)]
    for a, b in ((0, 1), (0, 2), (1, 2)):
        shared = known[a] & known[b]
        if shared:
            checks.append(("subject overlap", f"{len(shared):,} subjects in both {PARTS[a]} and {PARTS[b]}", True))
    return checks


def _duplicates(seen: _Seen) -> Check:
    """Check for images with exactly equal pixels: how many groups, across which parts, with which labels."""
    rows_of: dict[bytes, list[int]] = defaultdict(list)
    for row in seen.rows:
        rows_of[pixel_digest(seen.prepared.images[row])].append(int(row))
    groups = [rows for rows in rows_of.values() if len(rows) > 1]
    if not groups:
        return [("exact duplicates", "none", False)]
    extra = sum(len(rows) - 1 for rows in groups)
    parts = [{int(seen.part[row]) for row in rows} for rows in groups]
    across = sum(len(group_parts) > 1 for group_parts in parts)
    conflicts = sum(len({int(seen.hard[row]) for row in rows}) > 1 for rows in groups)
    text = f"{len(groups):,} groups, {extra:,} redundant images, {across:,} groups across splits"
    checks: Check = [("exact duplicates", f"{text}, {conflicts:,} with conflicting labels", True)]
    for k in (1, 2):
        also = sum(
            int(seen.part[row]) == k
            for rows, group_parts in zip(groups, parts, strict=True)
            if 0 in group_parts
            for row in rows
        )
        if also:
            checks.append(("leakage", f"{also:,} {PARTS[k]} images also occur in train", True))
    return checks + _shared_by_sources(seen, groups)


def _near(seen: _Seen) -> tuple[list[NearDuplicates], Check]:
    """Return the pairs of images that are nearly equal, by pairs of parts, and the checks about them."""
    names = seen.prepared.columns.get("name")
    try:
        pairs = seen.prepared.near
    except DataError as error:
        return [], [("near-duplicates", error.message, True)]
    duplicates = near_duplicates(
        pairs, seen.part, lambda row: printable(str(names[row])) if names is not None else f"image {row}"
    )
    if not duplicates:
        return [], [("near-duplicates", "none", False)]
    total, mirrored = sum(between.pairs for between in duplicates), sum(between.mirrored for between in duplicates)
    text = f"{total:,} pairs of images, not equal in every pixel, {mirrored:,} mirrored"
    return duplicates, [
        ("near-duplicates", text, True),
        *(("near leakage", str(between), True) for between in duplicates if between.across),
    ]


def _shared_by_sources(seen: _Seen, groups: list[list[int]]) -> Check:
    """Return images that two sources have in common."""
    if seen.source is None:
        return []
    pairs = Counter(
        pair for rows in groups for pair in combinations(sorted({str(seen.source[row]) for row in rows}), 2)
    )
    return [("sources", f"{n:,} images are in both {a} and {b}", True) for (a, b), n in pairs.items()]


def _with_names(seen: _Seen, rows: list[int], most: int = 3) -> str:
    names = seen.prepared.columns.get("name")
    shown = ", ".join(printable(str(names[row])) if names is not None else f"image {row}" for row in rows[:most])
    return f"{len(rows):,} ({shown}{', ...' if len(rows) > most else ''})"


def count(source: Names, hard: Ints, part: Ints, classes: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return for each source the number of images `n`, also in each of the `splits` and `per_class`, and `baseline`.

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
    """Return warnings about classes with images from only one source, or none."""
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


def known_by_source(source: Names, hard: Ints, part: Ints, held_out: int) -> tuple[float, float]:
    """Return the accuracy on part `held_out` of knowing only an image's source, and of the majority class.

    The answer is the most common train class, of the source in the first figure; a source without train images gets
    the most common of all.
    """
    train, rows = part == 0, part == held_out
    common = int(np.bincount(hard[train]).argmax())
    guess = np.full(len(hard), common, np.int64)
    for name in np.unique(source[train]):
        own = source == name
        guess[own] = int(np.bincount(hard[own & train]).argmax())
    return float((guess[rows] == hard[rows]).mean()), float((common == hard[rows]).mean())


def confounded(source: Names, hard: Ints, part: Ints) -> tuple[str, bool]:
    """Return a sentence on the accuracy on valid of knowing only the source, and whether it is suspiciously high."""
    by_source, by_nothing = known_by_source(source, hard, part, 1)
    text = (
        f"knowing only the source, {by_source:.1%} of valid are classified correctly "
        f"(majority-class baseline {by_nothing:.1%})"
    )
    return text, by_source - by_nothing > MUCH

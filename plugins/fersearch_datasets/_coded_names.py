"""Images whose names encode person and emotion, anywhere below a folder."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fersearch.data.folders import contents_of
from fersearch.data.labels import known
from fersearch.data.walk import Walk
from fersearch.errors import DataError
from fersearch_datasets._sanity import listed


@dataclass(frozen=True)
class Face:
    """What a name encodes: `key` is the name as the dataset's rule writes it, `label` the canonical emotion."""

    path: Path
    key: str
    label: str
    subject: str


Parse = Callable[[Path], Face | None]


@dataclass(frozen=True)
class Rule:
    """A dataset's way to name its images: `parse` reads a path, `example` shows a name that it understands."""

    title: str
    example: str
    expected: str
    parse: Parse


def find(source: Path, rule: Rule, findings: list[str]) -> list[Face]:
    """Return every image below a folder that is named by the rule, each key once, in the order of the paths.

    Images that are left out, and folders that contradict the names in them, are reported in `findings`.

    Raises:
        DataError: no image has such a name; the message lists the names found.
    """
    walk = Walk(source)
    paths = walk.images(source)
    parsed = [(path, rule.parse(path)) for path in paths]
    faces = [face for _, face in parsed if face is not None]
    if not faces:
        raise _nothing(source, paths, rule)
    odd = [path.name for path, face in parsed if face is None]
    findings += walk.findings()
    if walk.others:
        findings.append(f"{walk.others:,} files in {source} are not images and were left out")
    if odd:
        findings.append(
            f"{len(odd):,} images are not named like {rule.example} and were left out: {listed(sorted(odd))}"
        )
    distinct = _once(faces, findings)
    _contradictions(distinct, findings)
    return distinct


def columns(faces: Sequence[Face], classes: Sequence[str], source: Path) -> dict[str, Any]:
    """Return label, split (all to be drawn), subject and relative path of every image."""
    return {
        "label": np.array([classes.index(face.label) for face in faces], np.int64),
        "split": np.full(len(faces), -2, np.int8),
        "subject": np.array([face.subject for face in faces], str),
        "name": np.array([os.path.relpath(face.path, source) for face in faces], str),
    }


def _nothing(source: Path, paths: Sequence[Path], rule: Rule) -> DataError:
    contents = f"it holds {contents_of(source)}"
    if paths:
        contents = f"none of its {len(paths):,} images is named like {rule.example}, the first is {paths[0].name}"
    hint = (
        f"expected {rule.expected};\n"
        "  folders of renamed images are read by --dataset imagefolder; the built-in drawings by --dataset faces"
    )
    return DataError(f"no {rule.title} images found in {source}: {contents}", hint)


def _once(faces: Sequence[Face], findings: list[str]) -> list[Face]:
    first: dict[str, Face] = {}
    for face in faces:
        first.setdefault(face.key, face)
    again = [face.path.name for face in faces if first[face.key] is not face]
    if again:
        findings.append(f"{len(again):,} images occur more than once; the first of each counts: {listed(again)}")
    return list(first.values())


def _contradictions(faces: Sequence[Face], findings: list[str]) -> None:
    wrong = [
        f"{face.path.parent.name}/{face.path.name}"
        for face in faces
        if known(face.path.parent.name) not in (None, face.label)
    ]
    if wrong:
        findings.append(
            f"{len(wrong):,} images lie in a folder of another emotion than in their name; the name counts: "
            f"{listed(wrong)}"
        )

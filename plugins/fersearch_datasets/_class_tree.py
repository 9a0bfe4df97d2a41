"""Folders of images named after emotions, at the top of a dataset or one level below it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from fersearch.data.class_folders import ClassFolder, class_folders, part_folders
from fersearch.data.folders import contents_of, roots, subfolders
from fersearch.data.labels import canonical, known
from fersearch.errors import DataError


def find(source: Path, title: str, expected: str, findings: list[str]) -> tuple[Path, list[ClassFolder]]:
    """Return the top of the tree and its class folders; files that are not images are counted in `findings`.

    Raises:
        DataError: there is no such tree, or one of its folders is not named after an emotion.
    """
    for root in roots(source):
        if 0 in part_folders(root) or any(known(folder.name) for folder in subfolders(root)):
            return root, class_folders(root, findings)
    hint = f"expected {expected};\n  give it with --data, or try the built-in drawings now: --dataset faces"
    raise DataError(f"no {title} images found in {source}: it holds {contents_of(source)}", hint)


def labels(folders: Sequence[ClassFolder], classes: Sequence[str], title: str) -> Mapping[Path, str]:
    """Return the canonical class of every folder.

    Raises:
        DataError: a folder is not named after an emotion, or after one that the dataset does not have.
    """
    named = {folder.path: canonical(folder.label, str(folder.path), classes) for folder in folders}
    for path, name in named.items():
        if name not in classes:
            raise DataError(f"{path}: '{path.name}' is not a class of {title}", f"its classes: {', '.join(classes)}")
    return named

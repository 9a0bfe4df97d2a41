"""Folders of images: what is in them, which class and which part of the split a folder stands for."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fersearch.errors import DataError

SUFFIXES = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm"))
PARTS = ("train", "valid", "test")
PART_NAMES = {
    **dict.fromkeys(("train", "training"), 0),
    **dict.fromkeys(("valid", "validation", "val"), 1),
    **dict.fromkeys(("test", "testing"), 2),
}


@dataclass
class ClassFolder:
    """The images of one class in one part of a dataset: `part` is 0 train, 1 valid, 2 test, -2 to be drawn."""

    path: Path
    label: str
    part: int
    images: list[Path] = field(default_factory=list)


def entries(folder: Path) -> list[os.DirEntry[str]]:
    """What a folder holds, sorted by name, hidden and resource-fork entries left out.

    Raises:
        DataError: the folder is missing, is a file, or may not be read.
    """
    try:
        with os.scandir(folder) as found:
            shown = [entry for entry in found if not entry.name.startswith((".", "__MACOSX"))]
    except OSError as error:
        raise unreadable(folder, error) from None
    return sorted(shown, key=lambda entry: entry.name)


def single(source: Path, suffix: str, expected: str) -> Path:
    """The file itself, or the only one with a suffix in a folder.

    Raises:
        DataError: the folder holds none, or several.
    """
    if source.is_file():
        return source
    found = [Path(entry.path) for entry in entries(source) if entry.name.lower().endswith(suffix)]
    if len(found) == 1:
        return found[0]
    kind = suffix.removeprefix(".").upper()
    told = f"{len(found)}: {held(source)}" if found else held(source)
    raise DataError(f"no single {kind} file in {source}: it holds {told}", f"expected {expected}; give it with --data")


def unreadable(path: Path, error: OSError) -> DataError:
    """The error for a file or folder that cannot be read."""
    if isinstance(error, PermissionError):
        return DataError(
            f"no permission to read {path}", "give yourself read access to it, or choose another with --data"
        )
    if isinstance(error, FileNotFoundError):
        return DataError(f"{path} does not exist", "check the path that was given")
    if isinstance(error, NotADirectoryError):
        return DataError(f"{path} is a file", "give the folder that holds the dataset")
    return DataError(f"cannot read {path}: {error.strerror or error}", "check the disk and the path")


def subfolders(folder: Path) -> list[Path]:
    """The folders directly in a folder, sorted."""
    return [Path(entry.path) for entry in entries(folder) if entry.is_dir()]


def images_below(folder: Path) -> tuple[list[Path], int]:
    """Every image in a folder and its subfolders, sorted, and the number of other files."""
    images, others = [], 0
    for entry in entries(folder):
        if entry.is_dir(follow_symlinks=False):
            below, more = images_below(Path(entry.path))
            images += below
            others += more
        elif os.path.splitext(entry.name)[1].lower() in SUFFIXES:
            images.append(Path(entry.path))
        else:
            others += 1
    return images, others


def part_of(text: str) -> int | None:
    """0, 1 or 2 for a word that names the train, valid or test part; None for another."""
    return PART_NAMES.get(text.strip().lower())


def part_folders(root: Path) -> dict[int, Path]:
    """The folders of a root that stand for the parts of a split, by part.

    Raises:
        DataError: two folders stand for one part.
    """
    found: dict[int, Path] = {}
    for folder in subfolders(root):
        part = part_of(folder.name)
        if part is None:
            continue
        if part in found:
            raise DataError(
                f"{root} has two folders for {PARTS[part]}: {found[part].name} and {folder.name}", "keep one of them"
            )
        found[part] = folder
    return found


def class_folders(root: Path, findings: list[str]) -> list[ClassFolder]:
    """The class folders of a root with train, valid and test folders, or without.

    Where there is no valid folder, the images of the train folder wait to be drawn into train and valid.

    Raises:
        DataError: no folder holds images, a class has none, or a test folder stands without a train folder.
    """
    parts = part_folders(root)
    if not parts:
        found = _classes_in(root, -2, findings)
    elif 0 not in parts:
        raise DataError(f"{root} has {_names(parts.values())} but no train folder", "expected train/<class>/ beside it")
    else:
        found = [
            folder
            for part, path in sorted(parts.items())
            for folder in _classes_in(path, -2 if part == 0 and 1 not in parts else part, findings)
        ]
    return _checked(root, found)


def _classes_in(root: Path, part: int, findings: list[str]) -> list[ClassFolder]:
    found, strays = [], 0
    for folder in subfolders(root):
        images, others = images_below(folder)
        strays += others
        found.append(ClassFolder(folder, folder.name, part, images))
    if strays:
        findings.append(f"{strays:,} files in {root} are no images and were left out")
    return found


def _checked(root: Path, found: Sequence[ClassFolder]) -> list[ClassFolder]:
    if not any(folder.images for folder in found):
        held = _names(subfolders(root)) or "no folder"
        raise DataError(
            f"no images found in {root}: it holds {held}",
            "expected one folder per class with images in it, or train/<class>/ and test/<class>/",
        )
    filled = {folder.label for folder in found if folder.images}
    for folder in found:
        if folder.label not in filled:
            raise DataError(f"class folder {folder.path} holds no images", "add images to it, or remove the folder")
    return list(found)


def roots(source: Path) -> Iterator[Path]:
    """A folder, then the readable folders in it: the places where an unpacked archive may have its top.

    Raises:
        DataError: the folder is missing, is a file, or may not be read.
    """
    below = subfolders(source)
    if not os.access(source, os.R_OK | os.X_OK):
        raise unreadable(source, PermissionError())
    yield source
    yield from (folder for folder in below if os.access(folder, os.R_OK | os.X_OK))


def _names(paths: Iterable[Path], most: int = 8) -> str:
    names = [f"{path.name}/" for path in paths]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def held(source: Path) -> str:
    """What a folder holds, in a few words for an error message."""
    names = [f"{entry.name}/" if entry.is_dir() else entry.name for entry in entries(source)]
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "") if names else "nothing"

"""Folders of images, one per class: the class and the part of the split that a folder holds."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fersearch.data.folders import PARTS, entries, is_folder, named, printable, subfolders
from fersearch.data.formats import is_image
from fersearch.data.labels import known, spelling
from fersearch.data.parts import is_wrapper, looks_like_part, part_of, parts_of
from fersearch.data.walk import Walk, images_below
from fersearch.errors import DataError

TO_DRAW = -2
WRAPPERS = 16
"""At most this many nested folders may wrap the class folders."""


@dataclass
class ClassFolder:
    """The images of one class in one part of a dataset: `part` is 0 train, 1 valid, 2 test, -2 to be drawn."""

    path: Path
    label: str
    part: int
    images: list[Path] = field(default_factory=list)


def part_folders(root: Path) -> dict[int, Path]:
    """Return the folders of a root that stand for the parts of a split, by part; a folder that only wraps them is
    entered.

    Raises:
        DataError: two folders hold the same part.
    """
    folder_of: dict[int, Path] = {}
    folders = subfolders(root)
    parts = parts_of(folder.name for folder in folders)
    for folder in folders:
        part = parts.get(folder.name)
        if part is None:
            continue
        if part in folder_of:
            raise DataError(
                f"{root} has two folders for {PARTS[part]}: {folder_of[part].name} and {folder.name}",
                "keep one of them",
            )
        folder_of[part] = folder
    return folder_of


def class_folders(root: Path, findings: list[str]) -> list[ClassFolder]:
    """Return the class folders of a root with train, valid and test folders, or without.

    Where there is no valid folder, the images of the train folder wait to be drawn into train and valid. A folder
    that holds but one more, such as `images/` or the second of `train/train/`, is entered.

    Raises:
        DataError: no folder holds images, a class has none, a test folder stands without a train folder, or what
            would be read as classes looks like something else.
    """
    walk = Walk(root)
    top = _unwrapped(root)
    parts = part_folders(top)
    if not parts:
        classes = _classes_in(top, TO_DRAW, walk, findings)
    elif 0 not in parts:
        raise DataError(
            f"{top} has {named(_in_order(parts))} but no train folder",
            "expected train/<class>/ beside it",
        )
    else:
        classes = [
            folder
            for part, path in sorted(parts.items())
            for folder in _classes_in(
                _unwrapped(path, part), TO_DRAW if part == 0 and 1 not in parts else part, walk, findings
            )
        ]
        _check_beside(top, _in_order(parts), classes, findings)
    walk.pass_over(top)
    findings += walk.findings()
    _refuse_two_classes(classes, walk.repeated)
    return _checked(top, classes)


def _in_order(parts: Mapping[int, Path]) -> list[Path]:
    return [path for _, path in sorted(parts.items())]


def _unwrapped(folder: Path, part: int | None = None) -> Path:
    """Return the folder in which the class or part folders lie: the only one in a folder is entered where it wraps
    them."""
    chain = [folder]
    while len(chain) <= WRAPPERS and (only := _only_folder(chain[-1])) is not None:
        chain.append(only)
    if part is None:
        for place in reversed(chain):
            if parts_of(path.name for path in subfolders(place)):
                return place
    for place in chain[1:]:
        if not (is_wrapper(place.name) or (part is not None and part_of(place.name) == part)) or not subfolders(place):
            break
        folder = place
    return folder


def _only_folder(folder: Path) -> Path | None:
    """Return the only folder in one without images of its own."""
    below = subfolders(folder)
    return below[0] if len(below) == 1 and not _images_in(folder) else None


def _classes_in(root: Path, part: int, walk: Walk, findings: list[str]) -> list[ClassFolder]:
    folders = subfolders(root)
    _refuse_other_than_classes(root, folders)
    others = walk.others
    classes = [ClassFolder(folder, _class_name(folder), part, walk.images(folder)) for folder in folders]
    if strays := walk.others - others:
        findings.append(f"{strays:,} files in {root} are not images and were left out")
    if alone := _images_in(root):
        finding = f"{len(alone):,} images are directly in {root}, outside the class folders, and were left out"
        findings.append(f"{finding}: {alone[0]}" + (" ..." if len(alone) > 1 else ""))
    walk.pass_over(root)
    return classes


def _class_name(folder: Path) -> str:
    try:
        folder.name.encode()
    except UnicodeEncodeError:
        raise DataError(
            f"class folder {printable(str(folder))} has a name that is not UTF-8",
            "its name is the class: rename it, for instance with convmv -f latin1 -t utf8",
        ) from None
    return folder.name


def _refuse_other_than_classes(root: Path, folders: Sequence[Path]) -> None:
    """Raise DataError where folders are parts of a split by their names, or all hold the folders of the classes."""
    inner = {folder: {path.name for path in subfolders(folder)} for folder in folders}
    names = {folder.name for folder in folders}
    like = [folder for folder in folders if looks_like_part(folder.name)]
    if len(like) > 1 or any(len(like) == len(folders) or inner[folder] & names for folder in like):
        hint = f"name them train, valid and test, or give the folder that holds the classes: --data {like[0]}"
        if 0 in parts_of(names).values():
            hint = f"give the folder that holds them: --data {root}"
        raise DataError(f"{named(like)} in {root} look like parts of a split, not like classes", hint)
    if _hold_the_classes(inner):
        shared = named(sorted(root / name for name in set.intersection(*inner.values())))
        raise DataError(
            f"every folder in {root} ({named(folders)}) holds the same folders ({shared}): which are the classes?",
            f"give the folder whose folders are the classes: --data {folders[0]};\n"
            f"  where {named(folders, 2)} are the classes, put their images directly into them",
        )


def _hold_the_classes(inner: Mapping[Path, set[str]]) -> bool:
    """Return whether every folder holds the same folders, which do not look like the persons or takes of an
    emotion."""
    if not inner or not all(inner.values()):
        return False
    shared, seen = set.intersection(*inner.values()), set.union(*inner.values())
    if not shared or (shared != seen and len(shared) < 2) or all(map(is_wrapper, shared)):
        return False
    return not all(known(folder.name) for folder in inner) or all(map(known, shared))


def _check_beside(root: Path, parts: Collection[Path], classes: Sequence[ClassFolder], findings: list[str]) -> None:
    """Refuse images beside the parts whose folder's name belongs to one of them; report other images as findings."""
    spellings = {spelling(folder.label) for folder in classes}
    for folder in subfolders(root):
        if folder in parts or not (images := images_below(folder)[0]):
            continue
        inner = {spelling(path.name) for path in subfolders(folder)}
        finding = f"{len(images):,} images lie in {folder.name}/ beside {named(parts)} in {root}"
        if (looks_like_part(folder.name) and inner) or spellings & {spelling(folder.name), *inner}:
            raise DataError(f"{finding}: they belong to no part", "name it train, valid or test, or move it elsewhere")
        findings.append(f"{finding} and were left out")


def _refuse_two_classes(classes: Sequence[ClassFolder], repeated: Sequence[tuple[Path, Path]]) -> None:
    """Raise DataError where links put one image into two classes."""
    for paths in repeated:
        label, other = (next(folder.label for folder in classes if path.is_relative_to(folder.path)) for path in paths)
        if spelling(label) != spelling(other):
            raise DataError(
                f"image {paths[1]} is {paths[0]} by a link: it has two classes, '{label}' and '{other}'",
                "remove one of the two",
            )


def _checked(root: Path, classes: Sequence[ClassFolder]) -> list[ClassFolder]:
    filled = {spelling(folder.label) for folder in classes if folder.images}
    if not filled:
        raise DataError(
            f"no images found in {root}: it contains {_shown(root)}",
            "expected one folder per class with images in it, or train/<class>/ and test/<class>/",
        )
    if len(classes) == 1 and len(inner := subfolders(classes[0].path)) > 1 and not _images_in(classes[0].path):
        raise DataError(
            f"{root} holds one folder, {classes[0].path.name}/, with {named(inner)} in it",
            f"give the folder that holds one per class: --data {classes[0].path}",
        )
    for folder in classes:
        if spelling(folder.label) not in filled:
            raise DataError(f"class folder {folder.path} holds no images", "add images to it, or remove the folder")
    return list(classes)


def _shown(root: Path) -> str:
    alone = len(_images_in(root))
    folders = named(subfolders(root)) or "no folder"
    return f"{alone:,} images and {folders}" if alone else folders


def _images_in(folder: Path) -> list[str]:
    """Return the images directly in a folder."""
    return [entry.name for entry in entries(folder) if is_image(entry.name) and not is_folder(entry)]

"""What a folder holds, without what operating systems and network drives leave there."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from fersearch.errors import DataError

PARTS = ("train", "valid", "test")
JUNK_MARKS = ("@", "#", "$", ".", "_")
THUMBNAIL_FOLDERS = ("thumbnails", "thumbnail", "thumbs", "thumb")
LEFT_BY_SYSTEMS = ("@eadir", "@recycle", "@tmp", "#recycle", "#snapshot", "$recycle.bin", "__macosx", "__pycache__")


def entries(folder: Path) -> list[os.DirEntry[str]]:
    """Return what a folder holds, sorted by name, without junk (`is_junk`).

    Raises:
        DataError: the folder is missing, is a file, or may not be read.
    """
    return [entry for entry in everything(folder) if not is_junk(entry.name)]


def everything(folder: Path) -> list[os.DirEntry[str]]:
    """Return what a folder holds, sorted by name.

    Raises:
        DataError: as `entries`.
    """
    try:
        with os.scandir(folder) as scanned:
            return sorted(scanned, key=lambda entry: entry.name)
    except OSError as error:
        raise unreadable(folder, error) from None


def is_junk(name: str) -> bool:
    """Return whether a name is that of a hidden, a system's or a thumbnail folder or file, which holds no image of a
    set."""
    return name.startswith(JUNK_MARKS) or name.lower() in THUMBNAIL_FOLDERS


def is_surprising_junk(name: str) -> bool:
    """Return whether a user may have meant a file of such a name as data, so that leaving it out is worth a finding."""
    return is_junk(name) and not name.startswith(".") and name.lower() not in LEFT_BY_SYSTEMS


def single(source: Path, suffix: str, expected: str) -> Path:
    """Return the file itself, or the only one with a suffix in a folder.

    Raises:
        DataError: the folder holds none, or several.
    """
    if source.is_file():
        return source
    files = [Path(entry.path) for entry in entries(source) if entry.name.lower().endswith(suffix)]
    if len(files) == 1:
        return files[0]
    kind = suffix.removeprefix(".").upper()
    contents = f"{len(files)}: {contents_of(source)}" if files else contents_of(source)
    raise DataError(
        f"no single {kind} file in {source}: it holds {contents}", f"expected {expected}; give it with --data"
    )


def unreadable(path: Path, error: OSError) -> DataError:
    """Return the error for a file or folder that cannot be read."""
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
    """Return the folders directly in a folder, sorted; links to the folder itself or to one that holds it are left
    out."""
    folders = [entry for entry in entries(folder) if is_folder(entry)]
    # A real path takes a look at every folder above, which of thousands in one another takes minutes.
    real = os.path.realpath(folder) if any(entry.is_symlink() for entry in folders) else ""
    return [
        Path(entry.path) for entry in folders if not (entry.is_symlink() and _holds(os.path.realpath(entry.path), real))
    ]


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a folder or a link to one; a link that leads in circles is not."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _holds(folder: str, other: str) -> bool:
    """Return whether a real path is another one or a folder above it."""
    return other == folder or other.startswith(folder.rstrip(os.sep) + os.sep)


def roots(source: Path) -> Iterator[Path]:
    """Yield a folder, then the readable folders in it: an unpacked archive may have its top in any of them.

    Raises:
        DataError: the folder is missing, is a file, or may not be read.
    """
    below = subfolders(source)
    if not os.access(source, os.R_OK | os.X_OK):
        raise unreadable(source, PermissionError())
    yield source
    yield from (folder for folder in below if os.access(folder, os.R_OK | os.X_OK))


def named(paths: Iterable[Path], most: int = 8) -> str:
    """Return the names of the first few folders and the number of the others."""
    names = [f"{path.name}/" for path in paths]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def contents_of(source: Path) -> str:
    """Return a short list of what a folder holds, for an error message."""
    names = [f"{entry.name}/" if is_folder(entry) else entry.name for entry in entries(source)]
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "") if names else "nothing"


def printable(text: str) -> str:
    """Return a text that any encoding can write: bytes of a file name that are not UTF-8 as \\xE9."""
    return os.fsencode(text).decode("utf-8", "backslashreplace")

"""Files and folders that are either whole or absent: written beside, synced, then renamed."""

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from fersearch.errors import UsageError

LONGEST_NAME = 240
"""Most bytes of a folder's name: file systems allow 255, and temporary names next to it are longer."""
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
"""Error numbers of a full disk and of a user's exhausted quota."""


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary file in the folder of `path` (made if missing) that becomes `path` when the block ends well.

    The file and its folder are synced to the disk. On any error, a full disk included, the temporary
    file is removed and an old file at `path` is untouched.

    Raises:
        OSError: the folder cannot be written, or the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=_hidden(path), suffix=".part", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        sync(temporary)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync(path.parent)


def write_atomic(path: Path, data: bytes) -> None:
    """Write a whole file, or leave the old one in place.

    Raises:
        OSError: the folder cannot be written, or the disk is full.
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder beside `folder` that takes its place when the block ends well.

    An old folder is removed once the new one is in place; on any error it is untouched, and the new one removed.

    Raises:
        OSError: the place cannot be written, or the disk is full.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    around = Path(tempfile.mkdtemp(prefix=_hidden(folder), dir=folder.parent))
    work, before = around / "new", around / "before"
    try:
        work.mkdir(mode=0o755)
        yield work
        if folder.exists():
            folder.rename(before)
        try:
            work.rename(folder)
        except OSError:
            if before.exists():
                before.rename(folder)
            raise
    finally:
        shutil.rmtree(around, ignore_errors=True)


def _hidden(path: Path) -> str:
    """Return the prefix of temporary names beside a path, short enough for any file system."""
    return f".{os.fsencode(path.name)[:100].decode(errors='ignore')}."


def sync(path: Path) -> None:
    """Force a file's content, or a folder's list of names, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    """Return the umask, read without setting it as os.umask needs to."""
    try:
        status = Path("/proc/self/status").read_text()
        return next(int(line.split()[1], 8) for line in status.splitlines() if line.startswith("Umask:"))
    except (OSError, StopIteration):
        return 0o022


def refuse_existing_file(path: Path, force: bool) -> None:
    """Raise UsageError if a file exists, unless it may be replaced, or if it is a folder."""
    if path.is_dir():
        raise UsageError(f"{path} is a folder", "name a file in it")
    if path.exists() and not force:
        raise UsageError(f"{path} exists", "name another file, or --force to replace it")


def refuse_existing_folder(folder: Path, force: bool, what: str, is_ours: Callable[[Path], bool]) -> None:
    """Raise UsageError if a non-empty folder exists, unless it may be replaced and is ours.

    `what` names what we write, and `is_ours` recognises a folder of it; nothing else is ever replaced.
    """
    if len(os.fsencode(folder.name)) > LONGEST_NAME:
        raise UsageError(f"'{folder.name[:60]}...' is too long for the name of a folder", "give another one with -o")
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UsageError(f"{folder} is a file", "give a folder with -o")
    if next(folder.iterdir(), None) is None:
        return
    if not force:
        raise UsageError(f"{folder} exists", f"give another folder with -o, or --force to replace the {what} in it")
    if not is_ours(folder):
        article = "an" if what[0] in "aeiou" else "a"
        hint = "--force replaces only those; give another folder with -o"
        raise UsageError(f"{folder} is not {article} {what}", hint)

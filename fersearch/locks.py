"""Locks between processes that are released whenever their holder ends."""

import contextlib
import errno
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

try:
    import fcntl
except ImportError:  # Windows has no fcntl: there every lock is free
    fcntl = None  # type: ignore[assignment]

_TAKEN = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)
LOOK = 0.1  # seconds between two tries


class Lock:
    """A held lock. Releasing it removes its file, too."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path, self._file = path, file

    def release(self) -> None:
        """Release the lock and remove its file."""
        if not self._file.closed:
            self._path.unlink(missing_ok=True)
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.release()


@contextlib.contextmanager
def lock(path: Path) -> Iterator[None]:
    """Yield while holding a lock on a file (made if missing, and left there), once it is free."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        flock(file, wait=True)
        yield


def try_lock(path: Path) -> Lock | None:
    """Take a lock on a file (created if missing) without waiting; return None while another process holds it.

    On a file system without locks, every lock is free.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        file = path.open("ab")
        if not flock(file, wait=False):
            file.close()
            return None
        if _is(file, path):
            return Lock(path, file)
        file.close()  # its former holder has removed the file in between


def wait_lock(path: Path, seconds: float, meanwhile: Callable[[], None] = lambda: None) -> Lock | None:
    """Take a lock like `try_lock`, retrying for so many seconds; `meanwhile` is called between two tries."""
    deadline = time.monotonic() + seconds
    while (acquired := try_lock(path)) is None and time.monotonic() < deadline:
        meanwhile()
        time.sleep(LOOK)
    return acquired


def flock(file: BinaryIO, wait: bool, shared: bool = False) -> bool:
    """Lock an open file; return False if another process holds it and waiting is off. A lock held before is replaced.

    Several processes can hold a `shared` lock, but only while no other holds one that is not. On a file system without
    locks, every lock is free.
    """
    if not fcntl:
        return True
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:  # of another kind: a file system without locks
        return error.errno not in _TAKEN
    return True


def unlock(file: BinaryIO) -> None:
    """Release the lock on an open file, if it is held."""
    if fcntl:
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_UN)


def beside(folder: Path) -> Path:
    """Return the lock file, next to a folder, of the process that works in the folder."""
    return folder.with_name(f"{folder.name}.lock")


def remove_unlocked(folder: Path) -> bool:
    """Remove a folder that no process works in; return False, and leave it, if one does.

    Raises:
        OSError: it cannot be removed.
    """
    if not folder.parent.is_dir():
        return True
    acquired = try_lock(beside(folder))
    if acquired is None:
        return False
    with acquired, contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder)
    return True


def is_held(folder: Path) -> bool:
    """Return whether a process works in a folder now."""
    if not beside(folder).exists():
        return False
    if (acquired := try_lock(beside(folder))) is None:
        return True
    acquired.release()
    return False


def _is(file: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False

"""The last state and the best weights of an unfinished trial, in its scratch folder and at a URL for other nodes.

The last state names the epoch whose weights were best when it was saved, and that file stays until a later state is in
place: the two match at whatever time the process is killed.
"""

import io
import logging
import shutil
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fersearch.errors import FersearchError
from fersearch.files import DISK_FULL, write_atomic
from fersearch.remote import Remote
from fersearch.training.stamp import Stamp, Unusable, check_stamp

STATE_FILES = ("last.pt", "best-*.pt", "done.json")
FileVersion = tuple[int, int, int]  # inode, modification time in nanoseconds, bytes: they differ for a replaced file


class DiskFull(FersearchError):
    """There is no room in a folder for a checkpoint of `size` bytes."""

    def __init__(self, folder: Path, size: int) -> None:
        message = f"disk full: no room for {size / 2**20:.1f} MB at {folder}"
        super().__init__(message, "free disk space, or set FERSEARCH_HOME to another disk")
        self.lacking = {"folder": str(folder), "bytes": size}


class States:
    """The states of one trial, `last.pt` and `best-N.pt`, each replaced whole or not at all.

    Both carry the `stamp` of the trial; a file that is damaged or has another stamp raises Unusable when read.
    """

    def __init__(self, folder: Path, stamp: Stamp | None = None) -> None:
        self.folder = folder
        self.stamp = dict(stamp or {})

    def save_best(self, epoch: int, model: nn.Module) -> None:
        """Store the weights of an epoch that was better than all before it."""
        self._save({"weights": model.state_dict()}, self._best(epoch))

    def best(self, epoch: int) -> dict[str, Tensor]:
        """Return the weights stored for an epoch, on the CPU; Unusable if they are lost."""
        weights: dict[str, Tensor] = self._load(self._best(epoch))["weights"]
        return weights

    def save_last(self, state: dict[str, Any], best_epoch: int) -> None:
        """Store a state to resume from, then remove the weights that it no longer refers to."""
        self._save(state, self.folder / "last.pt")
        for path in self.folder.glob("best-*.pt"):
            if path != self._best(best_epoch):
                path.unlink(missing_ok=True)

    def last(self) -> dict[str, Any] | None:
        """Return the state to resume from, on the CPU; None if there is none yet, Unusable if it cannot be read."""
        path = self.folder / "last.pt"
        return self._load(path) if path.exists() else None

    def clear(self, keep: int | None) -> None:
        """Remove everything but the best weights of epoch `keep`."""
        for path in (self.folder / "last.pt", *self.folder.glob("best-*.pt")):
            if keep is None or path != self._best(keep):
                path.unlink(missing_ok=True)

    def _best(self, epoch: int) -> Path:
        return self.folder / f"best-{epoch}.pt"

    def _save(self, state: dict[str, Any], path: Path) -> None:
        buffer = io.BytesIO()
        torch.save({**state, "stamp": self.stamp}, buffer)
        write_whole(path, buffer.getvalue())

    def _load(self, path: Path) -> dict[str, Any]:
        try:
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
            stamp = state.pop("stamp", None)
        except FileNotFoundError:
            raise Unusable(f"{path} is missing") from None
        except MemoryError:
            raise
        except PermissionError as error:
            raise FersearchError(f"cannot read the state {path}: {error.strerror}", "give permission") from error
        except Exception as error:
            raise Unusable(f"{path} is damaged") from error
        check_stamp(stamp, self.stamp, str(path))
        return state


def write_whole(path: Path, data: bytes) -> None:
    """Write a checkpoint, or leave the file that was there.

    Raises:
        DiskFull: there is no room; no partial file is left.
    """
    try:
        write_atomic(path, data)
    except OSError as error:
        raise disk_full(error, path, len(data)) from error


def disk_full(error: OSError, path: Path, size: int) -> OSError | DiskFull:
    """Return DiskFull for an error that means so, any other error itself."""
    if error.errno not in DISK_FULL:
        return error
    return DiskFull(path.parent, size)


class Mirror:
    """A copy of a trial's states at a URL, if any: fetched before the trial starts, updated with each new state.

    Weights that the last state refers to are pushed before it, and others removed after it, so that the files at the
    URL match whenever the node is lost. `trouble` says why the last push failed, if it did.
    """

    def __init__(self, url: str, folder: Path) -> None:
        self._remote = Remote(url) if url else None
        self._folder = folder
        self._pushed: dict[str, FileVersion] = {}
        self.trouble = ""

    def fetch(self) -> None:
        """Replace the folder's states by those at the URL; it is unchanged where nothing was ever pushed.

        Raises:
            FersearchError: the URL cannot be read.
        """
        if self._remote is None:
            return
        names = [name for name in self._remote.files() if _is_state(name)]
        if not names:
            return
        shutil.rmtree(self._folder, ignore_errors=True)
        for name in names:
            self._remote.get(name, self._folder / name)
        self._pushed = self._versions()

    def push(self) -> None:
        """Push the states that changed; an error is logged, kept as `trouble`, and retried with the next state."""
        if self._remote is None:
            return
        current, self.trouble = self._versions(), ""
        changed = [name for name, version in current.items() if self._pushed.get(name) != version]
        try:
            for name in sorted(changed, key=lambda name: name.endswith("last.pt")):
                self._remote.put(self._folder / name, name)
                self._pushed[name] = current[name]
            for name in self._pushed.keys() - current.keys():
                self._remote.remove(name)
                del self._pushed[name]
        except FersearchError as error:
            self.trouble = f"the state is on this node alone: {error.message}"
            logging.getLogger(__name__).warning(self.trouble)

    def _versions(self) -> dict[str, FileVersion]:
        """Return every state file of the folder with its version, which changes when the file is replaced."""
        versions = {}
        for path in self._folder.rglob("*"):
            if _is_state(path.name):
                stat = path.stat()
                versions[path.relative_to(self._folder).as_posix()] = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
        return versions


def _is_state(name: str) -> bool:
    return any(fnmatch(name.rpartition("/")[2], pattern) for pattern in STATE_FILES)

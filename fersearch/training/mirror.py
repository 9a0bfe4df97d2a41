"""The states of a trial beside those in its scratch folder, at a URL that every node reaches."""

import logging
import shutil
from fnmatch import fnmatch
from pathlib import Path

from fersearch.errors import FersearchError
from fersearch.remote import Remote

KEPT = ("last.pt", "best-*.pt", "done.json")
Look = tuple[int, int, int]  # inode, time of the last change in nanoseconds, bytes: a replaced file has another


class Mirror:
    """Brings a trial's states to this node before it starts, and takes each new one away; with no URL it does neither.

    What the last state speaks of is pushed before it, and what it speaks of no longer is removed after it: whenever
    the node is lost, the files at the URL belong together. `trouble` says why the last push failed, if it did.
    """

    def __init__(self, url: str, folder: Path) -> None:
        self._remote = Remote(url) if url else None
        self._folder = folder
        self._pushed: dict[str, Look] = {}
        self.trouble = ""

    def fetch(self) -> None:
        """Let the folder hold what is at the URL; it stays as it is where nothing was ever pushed.

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
        self._pushed = self._looks()

    def push(self) -> None:
        """Push what has changed; what fails is told in the log and as `trouble`, and pushed with the next state."""
        if self._remote is None:
            return
        found, self.trouble = self._looks(), ""
        changed = [name for name, look in found.items() if self._pushed.get(name) != look]
        try:
            for name in sorted(changed, key=lambda name: name.endswith("last.pt")):
                self._remote.put(self._folder / name, name)
                self._pushed[name] = found[name]
            for name in self._pushed.keys() - found.keys():
                self._remote.remove(name)
                del self._pushed[name]
        except FersearchError as error:
            self.trouble = f"the state is on this node alone: {error.message}"
            logging.getLogger(__name__).warning(self.trouble)

    def _looks(self) -> dict[str, Look]:
        """Every state of the folder, and what tells it from another one of its name."""
        found = {}
        for path in self._folder.rglob("*"):
            if _is_state(path.name):
                stat = path.stat()
                found[path.relative_to(self._folder).as_posix()] = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
        return found


def _is_state(name: str) -> bool:
    return any(fnmatch(name.rpartition("/")[2], pattern) for pattern in KEPT)

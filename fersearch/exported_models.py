"""Models that a service exported, by the digests of their checkpoints, within a limit of bytes."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Lock

from fersearch.home import exported_folder

IN_USE = 60.0
"""Seconds after its last use during which a model is not removed: it may be about to be opened or sent."""
ABANDONED = 3600.0
"""Seconds after which an unfinished export counts as abandoned."""
CARD = "card.json"
UNFINISHED, REMOVED = ".unfinished", ".removed"


class ExportedModels:
    """A folder of exported models, each in a folder named by its checkpoint's digest; least recently used go first."""

    def __init__(self, root: Path | None = None, clock: Callable[[], float] = time.time) -> None:
        self.root = exported_folder() if root is None else root
        self._clock = clock
        self._lock = Lock()

    def use(self, digest: str) -> Path | None:
        """Return the folder of a model, kept for at least `IN_USE` seconds; None if there is none."""
        folder = self.root / digest
        with self._lock, suppress(FileNotFoundError):
            os.utime(folder, (self._clock(),) * 2)
            return folder if (folder / CARD).is_file() else None
        return None

    def unfinished(self, digest: str) -> Path:
        """Return a free path for a model that is being exported; `keep` completes it."""
        place = self.root / f"{digest}{UNFINISHED}"
        shutil.rmtree(place, ignore_errors=True)
        return place

    def keep(self, digest: str) -> Path:
        """Complete an exported model, and return its folder."""
        folder = self.root / digest
        with self._lock:
            self._remove(folder)  # an existing folder there has no card
            folder.with_name(f"{digest}{UNFINISHED}").rename(folder)
            os.utime(folder, (self._clock(),) * 2)
        return folder

    def sizes(self) -> dict[str, int]:
        """Return the bytes of each model by its checkpoint's digest."""
        return {folder.name: _size(folder) for folder in self._folders() if not folder.suffix}

    def remove(self, digest: str) -> None:
        """Remove a model; without effect if there is none."""
        with self._lock:
            self._remove(self.root / digest)

    def shrink(self, most: int) -> None:
        """Remove the least recently used models until all together take at most `most` bytes.

        Those in use stay. Remains of interrupted exports and removals are removed too.
        """
        now = self._clock()
        with self._lock:
            for folder in list(self._folders()):
                if folder.suffix == REMOVED or (folder.suffix == UNFINISHED and now - _used(folder) > ABANDONED):
                    self._remove(folder)
            sizes = self.sizes()
            total = sum(sizes.values())
            for folder in sorted((self.root / digest for digest in sizes), key=_used):
                if total <= most or now - _used(folder) < IN_USE:
                    break
                self._remove(folder)
                total -= sizes[folder.name]

    def _folders(self) -> Iterator[Path]:
        with suppress(FileNotFoundError):
            yield from (path for path in self.root.iterdir() if path.is_dir())

    def _remove(self, folder: Path) -> None:
        """Remove a folder: hide it at once by renaming it, then delete its files."""
        hidden = folder.with_suffix(REMOVED)
        with suppress(OSError):
            if folder != hidden:
                shutil.rmtree(hidden, ignore_errors=True)
                folder.rename(hidden)
            shutil.rmtree(hidden)


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


def _used(folder: Path) -> float:
    with suppress(FileNotFoundError):
        return folder.stat().st_mtime
    return 0.0

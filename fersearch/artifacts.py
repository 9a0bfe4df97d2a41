"""Trained weights stored by the digest of their content, which is checked when they are opened."""

import hashlib
import os
import re
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from fersearch.errors import FersearchError
from fersearch.files import atomic_path
from fersearch.home import cache_folder
from fersearch.owners import Owner
from fersearch.remote import Remote, age, is_url

YOUNG = 3600.0
"""Seconds for which a file that no row refers to may still be waiting for its row."""
OWNERS = "owners"
"""The folder next to the files, with a mark for each study that owns one."""
_DIGEST = re.compile(r"[0-9a-f]{64}")
_UNFINISHED = re.compile(r"\.[0-9a-f]{64}\..*\.part")


class Stored(NamedTuple):
    """A stored file: its size in bytes, and the seconds since it was last put."""

    bytes: int
    age: float


class Artifacts:
    """A folder of files, each named by the sha256 of its content.

    It may be at a URL that fsspec supports; `root` is then a local folder with copies of the opened files.
    """

    def __init__(self, root: Path | str) -> None:
        self._remote = Remote(str(root)) if is_url(root) else None
        self.place = str(root)
        self.root = cache_folder(self.place) if self._remote else Path(root)

    def put(self, file: Path, owner: Owner | None = None) -> str:
        """Store a copy of the file and return its digest (64 hex digits); equal content is stored once.

        Either way its age restarts, so that garbage collection spares a file that is about to be referred to.
        It is marked as the `owner`'s, too, before it is there.

        Raises:
            OSError: the disk is full, or the folder cannot be written; no half file stays.
        """
        digest = file_digest(file)
        if owner is not None:
            self._mark(digest, owner)
        if self._remote is not None:
            self._remote.put(file, digest)
            return digest
        target = self.root / digest
        if target.exists() and file_digest(target) == digest:
            os.utime(target)
            return digest
        with atomic_path(target) as temporary:
            shutil.copyfile(file, temporary)
            if file_digest(temporary) != digest:
                raise FersearchError(
                    f"{file} changed while it was stored", "make sure nothing writes to it, then try again"
                )
        return digest

    def open(self, digest: str) -> Path:
        """Return the path of a file whose content has the digest.

        Raises:
            FersearchError: no such file is here, or its content is not what was put.
        """
        path = self._path(digest)
        if self._remote is not None and not (path.is_file() and file_digest(path) == digest):
            path.unlink(missing_ok=True)
            self._remote.get(digest, path)
        if not path.is_file():
            raise FersearchError(
                f"artifact {digest} is missing from {self.place}",
                "FERSEARCH_ARTIFACTS or FERSEARCH_HOME may point elsewhere, or the file was removed by hand",
            )
        if file_digest(path) != digest:
            raise FersearchError(
                f"artifact {digest} is corrupt: its content has another digest",
                f"restore {self.place}/{digest} from a copy, or remove it and run the trial again",
            )
        return path

    def remove(self, digest: str) -> None:
        """Remove a file and its marks; without effect if it is gone already."""
        self._path(digest).unlink(missing_ok=True)
        if self._remote is not None:
            self._remote.remove(digest)
            Remote(f"{self.place.rstrip('/')}/{OWNERS}/{digest}").remove_all()
        else:
            shutil.rmtree(self.root / OWNERS / digest, ignore_errors=True)

    def owners(self) -> dict[str, set[Owner]]:
        """Return the owners of the files by digest, without files that have no mark."""
        by_digest: dict[str, set[Owner]] = defaultdict(set)
        for name in self._marks(""):
            digest, _, mark = name.rpartition("/")
            if owner := Owner.of_mark(mark):
                by_digest[digest].add(owner)
        return dict(by_digest)

    def owners_of(self, digest: str) -> set[Owner]:
        """Return the owners of the file of a digest; empty without a mark."""
        return {owner for name in self._marks(digest) if (owner := Owner.of_mark(name.rpartition("/")[2]))}

    def disown(self, digest: str, owner: Owner) -> None:
        """Remove an owner's mark from a file; without effect if there is none."""
        name = f"{OWNERS}/{digest}/{owner.mark}"
        if self._remote is not None:
            self._remote.remove(name)
        else:
            (self.root / name).unlink(missing_ok=True)

    def digests(self) -> dict[str, Stored]:
        """Return every stored file by its digest."""
        return {name: stored for name, stored in self._files() if _DIGEST.fullmatch(name)}

    def unfinished(self) -> dict[str, Stored]:
        """Return the remains of interrupted `put` calls, by name."""
        return {name: stored for name, stored in self._files() if _UNFINISHED.fullmatch(name)}

    def remove_unfinished(self, name: str) -> None:
        """Remove a file that `unfinished` named; without effect if it is gone already."""
        if not _UNFINISHED.fullmatch(name):
            raise FersearchError(f"'{name}' is not a leftover of an artifact", "give a name that `unfinished` returned")
        (self.root / name).unlink(missing_ok=True)
        if self._remote is not None:
            self._remote.remove(name)

    def _files(self) -> Iterator[tuple[str, Stored]]:
        """Yield every file of the folder; one that vanishes meanwhile is left out."""
        if self._remote is not None:
            yield from ((name, Stored(each.bytes, age(each))) for name, each in self._remote.files().items())
            return
        now = time.time()
        try:
            entries = list(os.scandir(self.root))
        except FileNotFoundError:
            return
        for entry in entries:
            try:
                if entry.is_file(follow_symlinks=False):
                    status = entry.stat(follow_symlinks=False)
                    yield entry.name, Stored(status.st_size, now - status.st_mtime)
            except FileNotFoundError:
                continue

    def _marks(self, digest: str) -> list[str]:
        """Return the relative path of every mark of a digest, or of all."""
        if self._remote is not None:
            return list(Remote(f"{self.place.rstrip('/')}/{OWNERS}/{digest}").files())
        top = self.root / OWNERS / digest
        return [f"{Path(folder).relative_to(top)}/{name}" for folder, _, names in os.walk(top) for name in names]

    def _mark(self, digest: str, owner: Owner) -> None:
        if self._remote is None:
            marks = self.root / OWNERS / digest
            marks.mkdir(parents=True, exist_ok=True)
            (marks / owner.mark).touch()
            return
        with tempfile.NamedTemporaryFile() as empty:
            self._remote.put(Path(empty.name), f"{OWNERS}/{digest}/{owner.mark}")

    def _path(self, digest: str) -> Path:
        if not _DIGEST.fullmatch(digest):
            raise FersearchError(f"'{digest}' is not a digest", "a digest is the 64 hex digits that `put` returned")
        return self.root / digest


def file_digest(path: Path) -> str:
    """Return the sha256 of a file's content, 64 hex digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

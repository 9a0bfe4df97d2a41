"""Trained weights by the digest of their content: what is opened is what was put."""

import hashlib
import re
import shutil
from pathlib import Path

from fersearch.errors import FersearchError
from fersearch.files import atomic_path

_DIGEST = re.compile(r"[0-9a-f]{64}")


class Artifacts:
    """A folder of files, each named by the sha256 of its content."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, file: Path) -> str:
        """Keep a copy of the file and return its digest (64 hex digits); a content that is here already is kept once.

        Raises:
            OSError: the disk is full, or the folder cannot be written; no half file stays.
        """
        digest = file_digest(file)
        target = self.root / digest
        if target.exists() and file_digest(target) == digest:
            return digest
        with atomic_path(target) as temporary:
            shutil.copyfile(file, temporary)
            if file_digest(temporary) != digest:
                raise FersearchError(f"{file} changed while it was kept", "let nothing write to it, then try again")
        return digest

    def open(self, digest: str) -> Path:
        """Return the path of a file whose content has the digest.

        Raises:
            FersearchError: no such file is here, or its content is not what was put.
        """
        path = self._path(digest)
        if not path.is_file():
            raise FersearchError(
                f"artifact {digest} is missing from {self.root}",
                "FERSEARCH_HOME may point elsewhere, or the file was removed by hand",
            )
        if file_digest(path) != digest:
            raise FersearchError(
                f"artifact {digest} is corrupt: its content has another digest",
                f"restore {path} from a copy, or remove it and run the trial again",
            )
        return path

    def remove(self, digest: str) -> None:
        """Forget a file; nothing happens when it is gone already."""
        self._path(digest).unlink(missing_ok=True)

    def _path(self, digest: str) -> Path:
        if not _DIGEST.fullmatch(digest):
            raise FersearchError(f"'{digest}' is no digest", "a digest is the 64 hex digits that `put` returned")
        return self.root / digest


def file_digest(path: Path) -> str:
    """The sha256 of a file's content, 64 hex digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

"""Files at a URL of any fsspec file system: s3://, gs://, file:// and others."""

import functools
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from fersearch.errors import FersearchError, UsageError
from fersearch.files import atomic_path

WHOLE = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az"}
"""Protocols of stores in which a file appears only once it is complete, so that it needs no renaming."""
_MOMENTS = ("mtime", "LastModified", "last_modified", "updated", "created")


class Listed(NamedTuple):
    """A file at a URL: its size in bytes, and its time of writing (seconds since 1970), 0 if unknown."""

    bytes: int
    written: float


class Remote:
    """The files under a URL, each by its path from there, `/` between folders.

    Every method raises a FersearchError that names the URL where the place cannot be used.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._fs, self._root = _file_system(self.url)

    def check(self) -> None:
        """Check that files can be written there and removed again."""
        name = f".check-{uuid4().hex}"
        with self._explained("it cannot be written"), tempfile.NamedTemporaryFile() as file:
            self.put(Path(file.name), name)
        self.remove(name)

    def put(self, file: Path, name: str) -> None:
        """Copy a file there, whole or not at all; one of that name is replaced."""
        target = f"{self._root}/{name}"
        with self._explained(f"{name} cannot be written"):
            if set(_protocols(self._fs)) & WHOLE:  # it has no folders, and creating one might create a bucket
                self._fs.put_file(str(file), target)
                return
            self._fs.makedirs(target.rpartition("/")[0], exist_ok=True)
            folder, _, last = target.rpartition("/")
            part = f"{folder}/.{last}.{uuid4().hex}.part"
            try:
                self._fs.put_file(str(file), part)
                self._fs.mv(part, target)
            except BaseException:
                with suppress(Exception):
                    self._fs.rm_file(part)
                raise

    def get(self, name: str, target: Path) -> bool:
        """Copy a file to a local path, whole or not at all; return False if there is none."""
        with self._explained(f"{name} cannot be read"):
            try:
                with atomic_path(target) as temporary:
                    self._fs.get_file(f"{self._root}/{name}", str(temporary))
            except FileNotFoundError:
                return False
        return True

    def remove(self, name: str) -> None:
        """Remove a file; without effect if it is gone already."""
        with self._explained(f"{name} cannot be removed"), suppress(FileNotFoundError):
            self._fs.rm_file(f"{self._root}/{name}")

    def remove_all(self) -> None:
        """Remove every file under the URL."""
        with self._explained("what is there cannot be removed"), suppress(FileNotFoundError):
            self._fs.rm(self._root, recursive=True)

    def files(self) -> dict[str, Listed]:
        """Return every file under the URL, also in folders, by its path from there."""
        with self._explained("it cannot be listed"):
            self._fs.invalidate_cache()
            try:
                entries = self._fs.find(self._root, detail=True)
            except FileNotFoundError:
                return {}
        start = len(self._root.rstrip("/")) + 1
        return {path[start:]: Listed(int(info.get("size") or 0), _written(info)) for path, info in entries.items()}

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        try:
            yield
        except FersearchError:
            raise
        except Exception as error:
            cause = f"{type(error).__name__}: {error}".strip().splitlines()[0]
            hint = "check the URL, and this machine's credentials for it"
            raise FersearchError(f"{self.url}: {what}: {cause}", hint) from error


def is_url(place: str | Path) -> bool:
    """Return whether a place is the URL of a file system, and no local path."""
    return "://" in str(place)


@functools.lru_cache(maxsize=16)
def _file_system(url: str) -> tuple[Any, str]:
    import fsspec

    opened: Callable[..., Any] = fsspec.core.url_to_fs
    protocol = url.partition(":")[0]
    if not is_url(url):  # the rest of s3://
        raise UsageError(f"{url}// does not name a location", f"give {protocol}://BUCKET/FOLDER, or file:///FOLDER")
    try:
        fs, root = opened(url)
    except ImportError as error:
        message = str(error).strip().splitlines()[0]
        raise FersearchError(
            f"{url} cannot be used here: {message}", "install it on every node, then try again"
        ) from None
    except ValueError as error:
        raise UsageError(
            f"{url} is not a location for files: {error}", "give a folder, or s3://, gs://, file:// ..."
        ) from None
    except Exception as error:
        cause = f"{type(error).__name__}: {error}"
        raise FersearchError(f"{url} cannot be used: {cause}", f"check what fsspec needs for {protocol}://") from error
    return fs, str(root).rstrip("/")


def _protocols(fs: Any) -> tuple[str, ...]:
    return (fs.protocol,) if isinstance(fs.protocol, str) else tuple(fs.protocol)


def _written(info: dict[str, Any]) -> float:
    """Return when a file was written, by any of fsspec's names for it; 0 if unknown."""
    for name in _MOMENTS:
        moment = info.get(name)
        if isinstance(moment, int | float):
            return float(moment)
        if isinstance(moment, datetime):
            return moment.timestamp()
    return 0.0


def age(listed: Listed) -> float:
    """Return the age of a file in seconds; 0 if unknown, so that it counts as new."""
    return max(0.0, time.time() - listed.written) if listed.written else 0.0

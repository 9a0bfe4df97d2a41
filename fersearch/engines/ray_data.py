"""How a prepared dataset reaches a node that does not see the driver's copy: packed once, unpacked once a node."""

import io
import shutil
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

from fersearch.data.identity import SHORT
from fersearch.data.prepared import Prepared, is_whole
from fersearch.home import prepared_folder
from fersearch.locks import lock


def pack(folder: Path) -> bytes:
    """The content of a folder, as a tar archive."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(folder, arcname=".")
    return buffer.getvalue()


def bring(folder: Path, fetch: Callable[[Path], bytes], digest: str = "") -> Path:
    """Return where a prepared dataset is on this node: `folder` itself if it is seen here, else a copy of its own.

    A prepared copy is named by its files as they lie there and not by what is in it, which the versions that read
    them decide too: one that was made here serves only if its content has the `digest` of the driver's.
    `fetch(folder)` gives the archive that `pack` made; trials that start together wait for one copy.
    """
    if is_whole(folder):
        return folder
    copy = prepared_folder() / folder.parent.name / folder.name
    if is_whole(copy):
        if not digest or Prepared.open(copy).digest == digest:
            return copy
        copy = copy.with_name(f"{copy.name}-{digest[:SHORT]}")
    with lock(copy.with_name(f"{copy.name}.lock")):
        if not is_whole(copy):
            _unpack(fetch(folder), copy)
    return copy


def _unpack(archive: bytes, copy: Path) -> None:
    work = Path(tempfile.mkdtemp(prefix=f".{copy.name}.", dir=copy.parent))
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
            packed.extractall(work, filter="data")
        work.rename(copy)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise

"""The prepared copy of a dataset: pixels and columns written once, memory-mapped from then on.

A copy's name is a hash of what it was made from (files with sizes and times, decoding options, the dataset's
version), so that a change of any makes another copy. It is written into a folder of its own under a lock and
renamed when complete: a reader never sees a partial copy, and two processes never make the same one twice.
"""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from fersearch.components import Dataset, Raw
from fersearch.data import digests
from fersearch.data import options as dataset_options
from fersearch.data.detect import DIGEST as DETECTOR
from fersearch.data.folders import printable
from fersearch.data.near import Pairs, near_pairs
from fersearch.data.pictures import reshaped, steps_of
from fersearch.data.preprocess import applied_to_all
from fersearch.data.step_lists import Steps, cut_of, declared, with_preprocess
from fersearch.errors import DataError
from fersearch.files import atomic_path, sync, write_atomic
from fersearch.locks import lock
from fersearch.space import Value

Progress = Callable[[int, int], None]
Array = npt.NDArray[Any]
FORMAT = 2
REPORT_EVERY = 64
FACES_DETECTED = (
    "the dataset does not include the positions of its faces: they were detected, and cut with the margin of the "
    "training images; where none was detected, the whole image was used"
)
IMAGE_DIGESTS = "image_digests.npy"
NEAR_PAIRS = "near_pairs_1.npz"
"""Its number is the version of what counts as near."""
LATER = ("files_digest", "makers")  # what the first copies of this format do not have


@dataclass(frozen=True)
class Prepared:
    """A prepared copy on disk: its content and its source; its arrays are memory-mapped, never read whole.

    `digest` is the SHA-256 of pixels and columns, `files_digest` that of the files they came from (empty where the copy
    was made before that was taken and the files are gone), `makers` the versions that read them. `steps` say how a
    picture became an input; None where the dataset declares none, or the copy is older than this field. The first
    `reading_findings` of its `findings` were made before an image was decoded.
    """

    folder: Path
    name: str
    class_names: tuple[str, ...]
    count: int
    image_size: int
    channels: int
    digest: str
    options: Mapping[str, Value]
    licence: str
    findings: tuple[str, ...]
    source: str
    files: int
    steps: Steps | None = None
    files_digest: str = ""
    makers: Mapping[str, str] = field(default_factory=dict)
    reading_findings: int = 0

    @classmethod
    def open(cls, folder: Path) -> "Prepared":
        """Open a prepared copy.

        Raises:
            DataError: the folder holds none.
        """
        try:
            meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
            optional = {name: meta[name] for name in LATER if name in meta}
            required = [
                name for name in cls.__dataclass_fields__ if name not in ("folder", "steps", "reading_findings", *LATER)
            ]
            known = {name: meta[name] for name in required} | optional
        except (OSError, ValueError, KeyError) as error:
            raise DataError(
                f"{folder} holds no prepared dataset: {error}", "remove the folder and prepare again"
            ) from None
        known["class_names"], known["findings"] = tuple(known["class_names"]), tuple(known["findings"])
        return cls(folder=folder, steps=meta.get("steps"), reading_findings=meta.get("told_by_reading", 0), **known)

    @cached_property
    def images(self) -> npt.NDArray[np.uint8]:
        """The pixels, uint8 (n, channels, size, size), mapped read-only."""
        return map_array(self.folder / "images.npy")

    @cached_property
    def columns(self) -> dict[str, Array]:
        """Every column by name, each mapped read-only."""
        return {path.stem: map_array(path) for path in sorted((self.folder / "columns").glob("*.npy"))}

    @cached_property
    def near(self) -> Pairs:
        """The pairs of pictures that are nearly equal; computed once, and stored beside the pixels.

        Raises:
            DataError: too many are alike to tell pairs.
        """
        path = self.folder / NEAR_PAIRS
        if not path.exists():
            pairs = near_pairs(self.images, self.image_digests)
            with explain_write_errors(self.folder), atomic_path(path) as work, work.open("wb") as file:
                np.savez(file, picture=pairs.picture, rows=pairs.rows, mirrored=pairs.mirrored)
        with np.load(path, allow_pickle=False) as stored:
            return Pairs(stored["picture"], stored["rows"], stored["mirrored"])

    @cached_property
    def image_digests(self) -> digests.ImageDigests:
        """A digest of each image's pixels, uint8 (n, 16); taken once, and kept beside them."""
        path = self.folder / IMAGE_DIGESTS
        if not path.exists():
            with atomic_path(path) as work, work.open("wb") as file:
                np.save(file, digests.of_images(self.images), allow_pickle=False)
        return map_array(path)


def map_array(path: Path) -> Array:
    """Map a .npy file read-only; DataError if it is broken."""
    try:
        array: Array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path} is corrupt: {error}", f"remove {path.parent} and prepare the dataset again") from None
    return array


def prepare(
    dataset: Dataset,
    source: Path | None,
    options: Mapping[str, Value],
    root: Path,
    progress: Progress | None = None,
    trained: Steps | None = None,
) -> Prepared:
    """Return the prepared copy of a dataset under `root`, making it first if there is none.

    `source` is the dataset's folder or file, None for one that needs no data. `options` may hold any of the
    dataset's options; those of `decoding` decide the pixels. `progress(done, total)` is called as images are
    written. `trained` are the steps of another dataset, whose shape the images take. A copy outlives its source: once
    the source is gone, the copy made from it last is returned.

    Raises:
        DataError: the dataset is missing or broken, or the disk is full; no partial copy is left.
        UsageError: an option that the dataset does not have, or a value that it does not offer.
    """
    dataset_options.check(dataset, {name: value for name, value in options.items() if name != "target"})
    chosen = dataset_options.decoding(dataset, options)
    if trained == with_preprocess(declared(dataset, chosen), chosen) and not cut_of(trained or []):
        trained = None  # its declared cuts may not apply to the form of this copy
    shelf = root / dataset.name if trained is None else root / f"{dataset.name}.shaped" / _digest(trained)
    if source is not None and _is_gone(source):
        existing = _made_from(source, chosen, shelf)
        if existing:
            return existing
    start = source or Path()
    files = dataset.files(start)
    folder = shelf / _key(dataset, start, files, chosen)
    if not is_whole(folder):
        with explain_write_errors(root), lock(folder.with_name(f"{folder.name}.lock")):
            if not is_whole(folder):
                _make(dataset, source, chosen, folder, files, progress, trained)
    prepared = Prepared.open(folder)
    prepared = prepared if prepared.files_digest else _with_files_digest(prepared, digests.of_files(files, start))
    return _with_source_findings(dataset, prepared, source, chosen)


def has_copy(dataset: Dataset, source: Path, options: Mapping[str, Value], root: Path) -> bool:
    """Return whether a copy made from a source exists, to be used where the source is gone."""
    return _made_from(source, dataset_options.decoding(dataset, options), root / dataset.name) is not None


def _with_source_findings(
    dataset: Dataset, copy: Prepared, source: Path | None, chosen: Mapping[str, Value]
) -> Prepared:
    """Return a copy with the path and findings of this source: it may come from equal files in another folder."""
    if source is None or copy.source == str(source.absolute()):
        return copy
    findings = (*map(printable, dataset.read(source, chosen).findings), *copy.findings[copy.reading_findings :])
    return replace(copy, source=str(source.absolute()), findings=tuple(dict.fromkeys(findings)))


def is_whole(folder: Path) -> bool:
    """Return whether the folder holds a complete prepared copy."""
    return (folder / "meta.json").is_file()


def _is_gone(source: Path) -> bool:
    try:
        source.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        pass
    return False


def _made_from(source: Path, chosen: Mapping[str, Value], shelf: Path) -> Prepared | None:
    copies = sorted(shelf.glob("*/meta.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    for copy in (Prepared.open(path.parent) for path in copies if not path.parent.name.startswith(".")):
        if copy.source == str(source.absolute()) and copy.options == chosen:
            return copy
    return None


def _with_files_digest(copy: Prepared, digest: str) -> Prepared:
    """Return the copy with the digest of its files, stored for the next time; copies of older versions have none."""
    path = copy.folder / "meta.json"
    with explain_write_errors(copy.folder), lock(copy.folder.with_name(f"{copy.folder.name}.lock")):
        meta = json.loads(path.read_text(encoding="utf-8"))
        write_atomic(path, json.dumps({**meta, "files_digest": digest}, indent=1).encode())
    return replace(copy, files_digest=digest)


def _key(dataset: Dataset, source: Path, files: Sequence[Path], chosen: Mapping[str, Value]) -> str:
    facts = [dataset.name, dataset.version, FORMAT, sorted(chosen.items())]
    content = hashlib.sha256(json.dumps(facts).encode())
    top = str(source if source.is_dir() else source.parent)
    for path in files:
        try:
            status = path.stat()
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror}", "restore the file") from None
        name = str(path).removeprefix(top)
        content.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode(errors="surrogateescape"))
    return content.hexdigest()[:32]


def _digest(steps: Steps) -> str:
    """Return 16 hex digits for steps, and for the detector that finds the faces which they cut."""
    facts = [steps, DETECTOR] if cut_of(steps) else steps
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


@contextlib.contextmanager
def explain_write_errors(root: Path) -> Iterator[None]:
    """Turn a full disk or a forbidden folder into a DataError with a hint what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DataError(
                f"no space left to prepare the dataset in {root}", "free some, or move FERSEARCH_HOME"
            ) from None
        if isinstance(error, PermissionError):
            raise DataError(
                f"no permission to write {error.filename or root}", "choose another FERSEARCH_HOME"
            ) from None
        raise


def _make(
    dataset: Dataset,
    source: Path | None,
    chosen: Mapping[str, Value],
    folder: Path,
    files: Sequence[Path],
    progress: Progress | None,
    trained: Steps | None = None,
) -> None:
    for leftover in folder.parent.glob(f".{folder.name}.*"):
        shutil.rmtree(leftover, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        raw = dataset.read(source or Path(), chosen)
        reading_findings = len(raw.findings)
        images = raw.images if trained is None else reshaped(raw.images, trained)
        raw.images = applied_to_all(images, chosen)
        shape = (raw.count, int(chosen.get("channels", 1)), *[int(chosen.get("image_size", 48))] * 2)
        digest = _write(dataset, raw, shape, work, progress)
        if getattr(images, "finds", False):
            raw.findings.append(FACES_DETECTED)
        start = source or Path()
        files_digest = digests.of_files(files, start)
        if _key(dataset, start, dataset.files(start), chosen) != folder.name:
            raise DataError(
                f"files in {source} changed while they were prepared", "run it again once they no longer change"
            )
        meta = {
            "name": dataset.name,
            "class_names": list(raw.class_names),
            "count": raw.count,
            "image_size": shape[2],
            "channels": shape[1],
            "digest": digest,
            "options": dict(chosen),
            "licence": dataset.licence,
            "findings": [printable(line) for line in raw.findings],
            "told_by_reading": reading_findings,
            "source": str(source.absolute()) if source else "",
            "files": len(files),
            "files_digest": files_digest,
            "makers": {**digests.makers(), f"dataset {dataset.name}": str(dataset.version)},
            "steps": with_preprocess(steps_of(images) or declared(dataset, chosen), chosen),
        }
        (work / "meta.json").write_text(json.dumps(meta, indent=1), encoding="utf-8")
        _settle(work, folder)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise


def _write(dataset: Dataset, raw: Raw, shape: tuple[int, ...], work: Path, progress: Progress | None) -> str:
    """Write pixels and columns; return the SHA-256 of the content."""
    if raw.count < 1:
        raise DataError(f"dataset {dataset.name} holds no images", dataset.expected)
    content = hashlib.sha256(json.dumps([list(raw.class_names), shape]).encode())
    _write_images(dataset, raw, shape, work / "images.npy", content, progress)
    (work / "columns").mkdir()
    for name, values in sorted(raw.columns.items()):
        column = np.ascontiguousarray(values)
        column = column.astype(str) if column.dtype == object else column
        if len(column) != raw.count:
            raise DataError(f"dataset {dataset.name}: column '{name}' has {len(column)} rows for {raw.count} images")
        content.update(f"{name} {column.dtype.str} {column.shape}".encode())
        content.update(column.tobytes())
        np.save(work / "columns" / f"{name}.npy", column, allow_pickle=False)
    return content.hexdigest()


def _write_images(
    dataset: Dataset, raw: Raw, shape: tuple[int, ...], path: Path, content: Any, progress: Progress | None
) -> None:
    """Write pixels image by image: a full disk then raises an error, where a mapped file would crash."""
    done = 0
    with path.open("wb") as file:
        _header(file, shape)
        for pixels in raw.images:
            if pixels.dtype != np.uint8 or pixels.shape != shape[1:]:
                raise DataError(
                    f"dataset {dataset.name}: image {done} is {pixels.dtype} {pixels.shape}, not uint8 {shape[1:]}"
                )
            data = pixels.tobytes()
            file.write(data)
            content.update(data)
            done += 1
            if progress and (done % REPORT_EVERY == 0 or done == raw.count):
                progress(done, raw.count)
    if done != raw.count:
        raise DataError(f"dataset {dataset.name} announced {raw.count:,} images and gave {done:,}")


def _header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})


def _settle(work: Path, folder: Path) -> None:
    """Sync every file and give the folder its name."""
    for path in work.rglob("*"):
        if path.is_file():
            sync(path)
    work.chmod(0o755)
    try:
        os.rename(work, folder)
    except OSError:
        if not is_whole(folder):
            raise
        shutil.rmtree(work, ignore_errors=True)
    sync(folder.parent)

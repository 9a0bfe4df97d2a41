"""Checks of the installation: machine, packages, devices, home, database, checkpoints, plugins, datasets."""

import os
import platform
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from fersearch import nvml
from fersearch.artifacts import YOUNG, Artifacts, file_digest
from fersearch.data.detect import DIGEST, MODEL
from fersearch.engines import devices
from fersearch.engines.driver import PACKAGES
from fersearch.errors import FersearchError
from fersearch.home import artifacts_folder, database_url, home
from fersearch.named_dataset import files_of
from fersearch.registry import Registry
from fersearch.store.database import file_system
from fersearch.store.schema import Checkup, check_up

Level = Literal["ok", "warn", "fail"]
MEGABYTE = 2**20
GIGABYTE = 2**30
LITTLE = 10 * GIGABYTE
TOO_LITTLE = GIGABYTE
SLOW = 0.2
"""Seconds of one question to the database after which a person should know."""
APART = 30.0
"""Seconds that two clocks may differ; the lease of a study believes a silent driver for 60."""
NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")
BUSY = 0.1
"""A GPU of whose memory a larger share is taken before any trial runs is somebody else's too."""
PAGE = Path(__file__).parents[1] / "service" / "web" / "dist" / "index.html"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: how it stands, in words and as facts, and what to do about it."""

    name: str
    level: Level
    told: str
    hint: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


def diagnose(*, deep: bool = False, storage: str | None = None) -> list[Check]:
    """Look at the machine, the packages, the database, the folder of fersearch, plugins and datasets.

    Nothing is changed: a database that is not there is not made, an old one is not brought up to date.

    Args:
        deep: also import torch and compute on each device, which takes seconds.
    """
    return list(_checks(deep, storage))


def _checks(deep: bool, storage: str | None) -> Iterator[Check]:
    yield guarded("host", check_host)
    yield guarded("packages", check_python)
    yield guarded("devices", check_device)
    if deep:
        yield guarded("torch", check_torch)
    yield guarded("face detector", check_face_detector)
    yield guarded("page", check_page)
    yield guarded("home", check_folder)
    yield from _kept(storage)
    yield from _components()


def _kept(storage: str | None) -> Iterator[Check]:
    """The database; then, if it could be read, the checkpoints that it names."""
    seen: list[Checkup] = []

    def database() -> Check:
        check, found = check_database(storage)
        seen.append(found)
        return check

    yield guarded("storage", database)
    for found in seen:
        yield guarded("checkpoints", lambda found=found: check_checkpoints(found))  # type: ignore[misc]


def _components() -> Iterator[Check]:
    from fersearch import registry
    from fersearch.plugins import plugin_folder

    try:
        loaded = registry.load((), plugin_folder())
    except FersearchError as error:
        yield Check("plugins", "fail", error.message, error.hint)
        return
    yield guarded("plugins", lambda: check_plugins(loaded))
    yield guarded("datasets", lambda: check_datasets(loaded))


def guarded(name: str, check: Callable[[], Check]) -> Check:
    """Run a check; an error becomes one that fails, so that the others are still told."""
    try:
        return check()
    except FersearchError as error:
        return Check(name, "fail", error.message, error.hint)
    except Exception as error:
        return Check(name, "fail", f"{type(error).__name__}: {error}", "report it as a bug of fersearch")


def check_folder() -> Check:
    """FERSEARCH_HOME: whether it may be written, and what room is left."""
    where = home()
    there = next(path for path in (where, *where.parents) if path.exists())
    free, kind = shutil.disk_usage(there).free, file_system(there)
    facts = {"path": str(where), "free_mb": free // MEGABYTE, "file_system": kind}
    told = f"{where}, {free / GIGABYTE:,.1f} GB free{f' ({kind})' if kind else ''}"
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        hint = "give permission, or set FERSEARCH_HOME to another folder"
        return Check("home", "fail", f"{told}, but {there} cannot be written", hint, facts)
    if free < LITTLE:
        hint = "make room: trials fail when the disk is full"
        return Check("home", "fail" if free < TOO_LITTLE else "warn", told, hint, facts)
    return Check("home", "ok", told, facts=facts)


def check_database(storage: str | None) -> tuple[Check, Checkup]:
    """The database: whether it answers, its schema, a server's clock, SQLite's file system."""
    found = check_up(database_url(storage))
    facts = {"url": found.url, "schema": found.schema, "newest": found.newest, "seconds": found.seconds}
    facts |= {"seconds_ahead": found.ahead, "network_file_system": found.network or None}
    level, told, hint = _judged(found)
    return Check("storage", level, f"{found.url}: {told}", hint, facts), found  # type: ignore[arg-type]


def check_checkpoints(found: Checkup) -> Check:
    """Files that no row names, unless they are another database's, and rows whose file is missing."""
    artifacts = Artifacts(artifacts_folder())
    files, owners = artifacts.digests(), artifacts.owners()
    own = {name: all(owner.database == found.identity for owner in owners.get(name, ())) for name in files}
    spare = {n: each.bytes for n, each in files.items() if n not in found.kept and own[n] and each.age > YOUNG}
    missing = [where for digest, where in found.kept.items() if digest not in files]
    size, unnamed = sum(each.bytes for each in files.values()), sum(spare.values())
    facts = {"files": len(files), "megabytes": size / MEGABYTE, "missing": [f"{name} {n}" for name, n in missing]}
    facts |= {"unnamed": len(spare), "unnamed_megabytes": unnamed / MEGABYTE}
    told = f"{len(files):,} files, {size / MEGABYTE:,.0f} MB"
    hints = []
    if spare:
        told += f"; {len(spare):,} of them ({unnamed / MEGABYTE:,.0f} MB) belong to no study of this database"
        hints.append("those that no other database of this home needs can go: fersearch checkpoint gc")
    if missing:
        told += f"; {len(missing):,} are missing, as that of trial {missing[0][1]} of {missing[0][0]}"
        hints.append("restore them from a backup, or set FERSEARCH_HOME to where they are")
    return Check("checkpoints", "warn" if hints else "ok", told, "\n".join(hints), facts)


def check_plugins(registry: Registry) -> Check:
    """What was loaded, and what could not be."""
    counts = Counter(kind for kind, _ in registry.components())
    facts = {"counts": dict(counts), "files": [file.path for file in registry.files], "broken": dict(registry.broken)}
    told = ", ".join(f"{number} {kind}s" for kind, number in counts.items())
    if registry.files:
        told += f"; from files: {', '.join(file.path for file in registry.files)}"
    if registry.broken:
        broken = "; ".join(registry.broken.values())
        return Check("plugins", "fail", f"{told}; {broken}", "fix them or take them out", facts)
    return Check("plugins", "ok", told, facts=facts)


def check_datasets(registry: Registry) -> Check:
    """Those whose files are here."""
    needing = [dataset for dataset in registry.datasets.values() if dataset.needs_data]
    found = {dataset.name: where for dataset in needing if (where := files_of(dataset)) is not None}
    built_in = [name for name, dataset in registry.datasets.items() if not dataset.needs_data]
    told = "; ".join([f"built in: {', '.join(built_in)}", *(f"{name} in {where}" for name, where in found.items())])
    return Check("datasets", "ok", told, facts={"found": found, "built_in": built_in})


def _judged(found: Checkup) -> tuple[str, str, str]:
    if found.schema is None:
        told = "not there yet" if found.path else "answers, and is empty"
        return ("warn" if found.network else "ok"), f"{told}; the first study makes it", _network(found)
    told = f"schema {found.schema}, answers in {found.seconds * 1000:.0f} ms"
    if found.schema < found.newest:
        return "warn", told, f"the next command brings it to schema {found.newest}: make a backup before"
    if found.ahead is not None and abs(found.ahead) > APART:
        hint = "set both clocks by NTP: times in the records come from both"
        return "warn", f"{told}, its clock is {abs(found.ahead):.0f} s {'ahead' if found.ahead > 0 else 'behind'}", hint
    if found.network:
        return "warn", f"{told}, on a network file system ({found.network})", _network(found)
    if found.seconds > SLOW:
        return "warn", told, "that is slow: look at the server's load and the network between"
    return "ok", told, ""


def _network(found: Checkup) -> str:
    hint = f"SQLite on {found.network} is slow and trusts its locks: take PostgreSQL, or a file on a local disk"
    return hint if found.network else ""


def check_host() -> Check:
    """Its name and clock, as the records of a study will have them."""
    moment = datetime.now(UTC)
    facts = {"host": platform.node(), "platform": platform.platform(), "utc": moment.isoformat(timespec="seconds")}
    told = f"{facts['host']}, {facts['platform']}, {moment:%Y-%m-%d %H:%M:%S} UTC"
    if sys.platform != "linux":
        return Check("host", "warn", told, "trials are forked on Linux only", facts)
    return Check("host", "ok", told, facts=facts)


def check_python() -> Check:
    """Python and the packages that decide results."""
    found = {name: _version(name) for name in (*PACKAGES, "ray", "timm", "opencv-python-headless")}
    facts = {"python": platform.python_version(), "executable": sys.executable, "packages": found}
    told = ", ".join([f"Python {facts['python']}", *(f"{name} {number}" for name, number in found.items() if number)])
    missing = [name for name, number in found.items() if number is None]
    if missing:
        hint = f"install what is missing: {sys.executable} -m pip install {' '.join(missing)}"
        return Check("packages", "fail", f"{told}; missing: {', '.join(missing)}", hint, facts)
    return Check("packages", "ok", told, facts=facts)


def check_device() -> Check:
    """Cores and GPUs with their free memory, asked of the driver library."""
    cores = devices.cores()
    gpus = _gpus()
    facts = {"cores": cores, "gpus": gpus}
    if not gpus and devices.has_mps():
        return Check("devices", "ok", f"Apple's GPU (mps), so 1 trial at once; {cores} cores", facts=facts)
    if not gpus:
        told = f"no GPU; {cores} cores, so {cores} trials at once"
        hint = _why_no_gpu()
        return Check("devices", "warn" if hint else "ok", told, hint, facts)
    names = [f"GPU {g['index']} {g['name']}, {g['free_mb']:,} of {g['total_mb']:,} MB free" for g in gpus]
    told = f"{'; '.join(names)}; {cores} cores"
    busy = [str(gpu["index"]) for gpu in gpus if gpu["total_mb"] - gpu["free_mb"] > BUSY * gpu["total_mb"]]
    if busy:
        others = f"GPU {', '.join(busy)} is in use: choose others by CUDA_VISIBLE_DEVICES, or expect slower trials"
        return Check("devices", "warn", told, others, facts)
    return Check("devices", "ok", told, facts=facts)


def check_face_detector() -> Check:
    """Look for the network that finds faces in photographs, and whether it is whole."""
    facts = {"path": str(MODEL)}
    if not MODEL.is_file() or file_digest(MODEL) != DIGEST:
        told = "the face detector is missing or was changed: faces in photographs cannot be found"
        return Check("face detector", "warn", told, "install fersearch again", facts)
    return Check("face detector", "ok", str(MODEL), facts=facts)


def check_page() -> Check:
    """Look for the page of the service, which is bundled by npm when fersearch is installed."""
    if PAGE.is_file():
        return Check("page", "ok", str(PAGE.parent), facts={"path": str(PAGE.parent)})
    told = "the page of the service is not built: the install had no npm, and the API works without it"
    return Check("page", "warn", told, "install Node.js, then: python -m fersearch.service.web.build")


def check_torch() -> Check:
    """Import torch and compute on each device; takes seconds."""
    from fersearch.training.measure import computes

    facts = computes()
    told = f"torch {facts['torch']} computes on {', '.join(facts['devices'])}"
    if failures := facts["failures"]:
        told = "; ".join(f"{name}: {why}" for name, why in failures.items())
        hint = "install a torch that was built for this GPU and its driver: https://pytorch.org/get-started/locally"
        return Check("torch", "fail", told, hint, facts)
    if len(facts["devices"]) == 1 and devices.gpus():
        hint = f"this torch is built for {facts['built_for']}: install one for the GPU's driver"
        return Check("torch", "fail", f"{told}, but not on the GPU", hint, facts)
    return Check("torch", "ok", told, facts=facts)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _why_no_gpu() -> str:
    """What to do where a GPU's driver is loaded and still none can be used; empty where there is no driver."""
    if not NVIDIA_DRIVER.exists():
        return ""
    if not os.environ.get("CUDA_VISIBLE_DEVICES", "all").strip("-1 "):
        return "CUDA_VISIBLE_DEVICES hides every GPU: unset it to use them"
    return "an NVIDIA driver is loaded, but no GPU answers: try nvidia-smi; in a container, give it the GPUs"


def _gpus() -> list[dict[str, Any]]:
    """The GPUs that this process may use: index, name, driver, memory in MB."""
    names = devices.gpus()
    if not names:
        return []
    with nvml.library() as pynvml:
        return [_gpu(pynvml, name) for name in names]


def _gpu(pynvml: Any, name: str) -> dict[str, Any]:
    handle = nvml.handle(pynvml, name)
    memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    return {
        "index": name,
        "name": _text(pynvml.nvmlDeviceGetName(handle)),
        "driver": _text(pynvml.nvmlSystemGetDriverVersion()),
        "free_mb": memory.free // MEGABYTE,
        "total_mb": memory.total // MEGABYTE,
    }


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value

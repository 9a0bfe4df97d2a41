"""Check the installation: machine, packages, devices, home, database, checkpoints, plugins, datasets."""

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

from fersearch import accelerators, nvml
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
"""Duration in seconds of one database query above which the check warns."""
APART = 30.0
"""Tolerated difference of two clocks in seconds; the lease of a study expires after 60."""
NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")
BUSY = 0.1
"""Share of a GPU's memory in use, before any trial runs, above which it counts as used by others."""
PAGE = Path(__file__).parents[1] / "service" / "web" / "dist" / "index.html"


@dataclass(frozen=True)
class Check:
    """The result of one check: its level, a message, facts for JSON, and a hint what to do."""

    name: str
    level: Level
    message: str
    hint: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


def diagnose(*, deep: bool = False, storage: str | None = None) -> list[Check]:
    """Check the machine, the packages, the database, the home folder, plugins and datasets.

    Nothing is changed: a missing database is not created, an old one is not migrated.

    Args:
        deep: also import torch and compute on each device; takes seconds.
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
    yield from _database_checks(storage)
    yield from _components()


def _database_checks(storage: str | None) -> Iterator[Check]:
    """Yield the check of the database; then, if it could be read, of the checkpoints that it names."""
    checkups: list[Checkup] = []

    def database() -> Check:
        check, checkup = check_database(storage)
        checkups.append(checkup)
        return check

    yield guarded("storage", database)
    for checkup in checkups:
        yield guarded("checkpoints", lambda checkup=checkup: check_checkpoints(checkup))  # type: ignore[misc]


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
    """Run a check; an error becomes a failed check, so that the others are still reported."""
    try:
        return check()
    except FersearchError as error:
        return Check(name, "fail", error.message, error.hint)
    except Exception as error:
        return Check(name, "fail", f"{type(error).__name__}: {error}", "report it as a bug of fersearch")


def check_folder() -> Check:
    """Check that FERSEARCH_HOME is writable, and its free space."""
    where = home()
    parent = next(path for path in (where, *where.parents) if path.exists())
    free, kind = shutil.disk_usage(parent).free, file_system(parent)
    facts = {"path": str(where), "free_mb": free // MEGABYTE, "file_system": kind}
    text = f"{where}, {free / GIGABYTE:,.1f} GB free{f' ({kind})' if kind else ''}"
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        hint = "grant permission, or set FERSEARCH_HOME to another folder"
        return Check("home", "fail", f"{text}, but {parent} cannot be written", hint, facts)
    if free < LITTLE:
        hint = "free disk space: trials fail when the disk is full"
        return Check("home", "fail" if free < TOO_LITTLE else "warn", text, hint, facts)
    return Check("home", "ok", text, facts=facts)


def check_database(storage: str | None) -> tuple[Check, Checkup]:
    """Check the database: whether it answers, its schema, a server's clock, SQLite's file system."""
    checkup = check_up(database_url(storage))
    facts = {"url": checkup.url, "schema": checkup.schema, "newest": checkup.newest, "seconds": checkup.seconds}
    facts |= {"seconds_ahead": checkup.ahead, "network_file_system": checkup.network or None}
    level, text, hint = _assessment(checkup)
    return Check("storage", level, f"{checkup.url}: {text}", hint, facts), checkup  # type: ignore[arg-type]


def check_checkpoints(checkup: Checkup) -> Check:
    """Check for checkpoints that no row refers to and no other database owns, and for rows without their file."""
    artifacts = Artifacts(artifacts_folder())
    files, owners = artifacts.digests(), artifacts.owners()
    own = {name: all(owner.database == checkup.identity for owner in owners.get(name, ())) for name in files}
    spare = {n: each.bytes for n, each in files.items() if n not in checkup.checkpoints and own[n] and each.age > YOUNG}
    missing = [where for digest, where in checkup.checkpoints.items() if digest not in files]
    size, unnamed = sum(each.bytes for each in files.values()), sum(spare.values())
    facts = {"files": len(files), "megabytes": size / MEGABYTE, "missing": [f"{name} {n}" for name, n in missing]}
    facts |= {"unnamed": len(spare), "unnamed_megabytes": unnamed / MEGABYTE}
    text = f"{len(files):,} files, {size / MEGABYTE:,.0f} MB"
    hints = []
    if spare:
        text += f"; {len(spare):,} of them ({unnamed / MEGABYTE:,.0f} MB) are of no study in this database"
        hints.append("remove those that no other database of this home needs: fersearch checkpoint gc")
    if missing:
        text += f"; {len(missing):,} are missing, for example that of trial {missing[0][1]} of {missing[0][0]}"
        hints.append("restore them from a backup, or set FERSEARCH_HOME to where they are")
    return Check("checkpoints", "warn" if hints else "ok", text, "\n".join(hints), facts)


def check_plugins(registry: Registry) -> Check:
    """Check which plugins were loaded, and which could not be."""
    counts = Counter(kind for kind, _ in registry.components())
    facts = {"counts": dict(counts), "files": [file.path for file in registry.files], "broken": dict(registry.broken)}
    text = ", ".join(f"{number} {kind}s" for kind, number in counts.items())
    if registry.files:
        text += f"; from files: {', '.join(file.path for file in registry.files)}"
    if registry.broken:
        broken = "; ".join(registry.broken.values())
        return Check("plugins", "fail", f"{text}; {broken}", "fix or remove them", facts)
    return Check("plugins", "ok", text, facts=facts)


def check_datasets(registry: Registry) -> Check:
    """Check which datasets have their files on this machine."""
    needing = [dataset for dataset in registry.datasets.values() if dataset.needs_data]
    paths = {dataset.name: where for dataset in needing if (where := files_of(dataset)) is not None}
    built_in = [name for name, dataset in registry.datasets.items() if not dataset.needs_data]
    text = "; ".join([f"built in: {', '.join(built_in)}", *(f"{name} in {where}" for name, where in paths.items())])
    return Check("datasets", "ok", text, facts={"found": paths, "built_in": built_in})


def _assessment(checkup: Checkup) -> tuple[str, str, str]:
    if checkup.schema is None:
        text = "does not exist yet" if checkup.path else "responds, and is empty"
        return ("warn" if checkup.network else "ok"), f"{text}; the first study creates it", _network(checkup)
    text = f"schema {checkup.schema}, responds in {checkup.seconds * 1000:.0f} ms"
    if checkup.schema < checkup.newest:
        return "warn", text, f"the next command migrates it to schema {checkup.newest}: make a backup first"
    if checkup.ahead is not None and abs(checkup.ahead) > APART:
        hint = "synchronise both clocks by NTP: the records contain times of both"
        return (
            "warn",
            f"{text}, its clock is {abs(checkup.ahead):.0f} s {'ahead' if checkup.ahead > 0 else 'behind'}",
            hint,
        )
    if checkup.network:
        return "warn", f"{text}, on a network file system ({checkup.network})", _network(checkup)
    if checkup.seconds > SLOW:
        return "warn", text, "that is slow: check the server's load and the network"
    return "ok", text, ""


def _network(checkup: Checkup) -> str:
    hint = f"SQLite on {checkup.network} is slow and depends on its locks: use PostgreSQL, or a file on a local disk"
    return hint if checkup.network else ""


def check_host() -> Check:
    """Report the host's name and clock, as a study records them."""
    moment = datetime.now(UTC)
    facts = {"host": platform.node(), "platform": platform.platform(), "utc": moment.isoformat(timespec="seconds")}
    text = f"{facts['host']}, {facts['platform']}, {moment:%Y-%m-%d %H:%M:%S} UTC"
    if sys.platform != "linux":
        return Check("host", "warn", text, "trials are forked on Linux only", facts)
    return Check("host", "ok", text, facts=facts)


def check_python() -> Check:
    """Report Python and the packages that decide results."""
    versions = {name: _version(name) for name in (*PACKAGES, "ray", "timm", "opencv-python-headless")}
    facts = {"python": platform.python_version(), "executable": sys.executable, "packages": versions}
    text = ", ".join(
        [f"Python {facts['python']}", *(f"{name} {number}" for name, number in versions.items() if number)]
    )
    missing = [name for name, number in versions.items() if number is None]
    if missing:
        hint = f"install what is missing: {sys.executable} -m pip install {' '.join(missing)}"
        return Check("packages", "fail", f"{text}; missing: {', '.join(missing)}", hint, facts)
    return Check("packages", "ok", text, facts=facts)


def check_device() -> Check:
    """Report the CPU's cores and fast bf16 instructions, and GPUs with their free memory from the driver library."""
    cores = devices.cores()
    gpus = _gpus()
    bf16 = devices.fast_bf16()
    facts = {"cores": cores, "gpus": gpus, "bf16": bf16 if bf16 is None else list(bf16)}
    cpu = f"{cores} cores" if bf16 is None else f"{cores} cores with {' and '.join(bf16) or 'no fast bf16'}"
    if not gpus and accelerators.has_mps():
        return Check("devices", "ok", f"Apple's GPU (mps), so 1 trial at once; {cpu}", facts=facts)
    if not gpus:
        text = f"no GPU; {cpu}, so {cores} trials at once"
        hint = _why_no_gpu()
        return Check("devices", "warn" if hint else "ok", text, hint, facts)
    names = [f"GPU {g['index']} {g['name']}, {g['free_mb']:,} of {g['total_mb']:,} MB free" for g in gpus]
    text = f"{'; '.join(names)}; {cpu}"
    busy = [str(gpu["index"]) for gpu in gpus if gpu["total_mb"] - gpu["free_mb"] > BUSY * gpu["total_mb"]]
    if busy:
        others = f"GPU {', '.join(busy)} is in use: select others with CUDA_VISIBLE_DEVICES, or expect slower trials"
        return Check("devices", "warn", text, others, facts)
    return Check("devices", "ok", text, facts=facts)


def check_face_detector() -> Check:
    """Check that the face detection network is present, by its digest."""
    facts = {"path": str(MODEL)}
    if not MODEL.is_file() or file_digest(MODEL) != DIGEST:
        text = "the face detector is missing or modified: faces in photographs cannot be detected"
        return Check("face detector", "warn", text, "reinstall fersearch", facts)
    return Check("face detector", "ok", str(MODEL), facts=facts)


def check_page() -> Check:
    """Check that the page of the service exists; npm bundles it when fersearch is installed."""
    if PAGE.is_file():
        return Check("page", "ok", str(PAGE.parent), facts={"path": str(PAGE.parent)})
    text = "the service's web page is not built, as npm was missing at installation; the API works without it"
    return Check("page", "warn", text, "install Node.js, then: python -m fersearch.service.web.build")


def check_torch() -> Check:
    """Import torch and compute on each device; takes seconds."""
    from fersearch.training.measure import computes

    facts = computes()
    text = f"torch {facts['torch']} computes on {', '.join(facts['devices'])}"
    if failures := facts["failures"]:
        text = "; ".join(f"{name}: {why}" for name, why in failures.items())
        hint = "install a build of torch for this GPU and its driver: https://pytorch.org/get-started/locally"
        return Check("torch", "fail", text, hint, facts)
    if len(facts["devices"]) == 1 and accelerators.gpus():
        hint = f"this build of torch supports {facts['built_for']}: install one for the GPU's driver"
        return Check("torch", "fail", f"{text}, but not on the GPU", hint, facts)
    return Check("torch", "ok", text, facts=facts)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _why_no_gpu() -> str:
    """Return advice where a GPU's driver is loaded and no GPU can be used; empty without a driver."""
    if not NVIDIA_DRIVER.exists():
        return ""
    if not os.environ.get("CUDA_VISIBLE_DEVICES", "all").strip("-1 "):
        return "CUDA_VISIBLE_DEVICES hides every GPU: unset it to use them"
    return "an NVIDIA driver is loaded, but no GPU responds: try nvidia-smi; in a container, pass the GPUs (--gpus all)"


def _gpus() -> list[dict[str, Any]]:
    """Return the GPUs that this process may use: index, name, driver, memory in MB."""
    names = accelerators.gpus()
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

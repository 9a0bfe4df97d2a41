"""Checks of what fersearch keeps: its folder, the database, checkpoints, plugins, datasets."""

import os
import shutil
from collections import Counter

from fersearch.api.checks import GIGABYTE, MEGABYTE, Check
from fersearch.api.datasets import files_of
from fersearch.artifacts import YOUNG, Artifacts
from fersearch.home import artifacts_folder, database_url, home
from fersearch.registry import Registry
from fersearch.store.checkup import Checkup, check_up
from fersearch.store.mounts import file_system

LITTLE = 10 * GIGABYTE
TOO_LITTLE = GIGABYTE
SLOW = 0.2
"""Seconds of one question to the database after which a person should know."""
APART = 30.0
"""Seconds that two clocks may differ; the lease of a study believes a silent driver for 60."""


def folder() -> Check:
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


def database(storage: str | None) -> tuple[Check, Checkup]:
    """The database: whether it answers, its schema, a server's clock, SQLite's file system."""
    found = check_up(database_url(storage))
    facts = {"url": found.url, "schema": found.schema, "newest": found.newest, "seconds": found.seconds}
    facts |= {"seconds_ahead": found.ahead, "network_file_system": found.network or None}
    level, told, hint = _judged(found)
    return Check("storage", level, f"{found.url}: {told}", hint, facts), found  # type: ignore[arg-type]


def checkpoints(found: Checkup) -> Check:
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


def plugins(registry: Registry) -> Check:
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


def datasets(registry: Registry) -> Check:
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

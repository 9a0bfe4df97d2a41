"""Remove files that no trial needs: released or orphaned checkpoints, and remains of unfinished work."""

import os
import re
import time
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

from fersearch.artifacts import YOUNG, Artifacts, Stored
from fersearch.context import open_store
from fersearch.engines.requests import remove_artifact
from fersearch.errors import FersearchError, StudyBusy
from fersearch.home import artifacts_folder, runs_folder, states_url
from fersearch.locks import is_held, remove_unlocked
from fersearch.owners import Owner, owner_of
from fersearch.remote import Remote
from fersearch.search.front import Keeper
from fersearch.store import Lease, Store, StudyRow
from fersearch.store.neighbours import Neighbours
from fersearch.trial import TrialState, of_data

_STUDY, _TRIAL = re.compile(r"[0-9a-f]{32}|\d+"), re.compile(r"\d+(-\w+)?")
KINDS = ("released", "orphaned", "scratch", "unfinished")


@dataclass
class Heap:
    """Files of one kind: their number, and their size in bytes."""

    files: int = 0
    bytes: int = 0


@dataclass
class Garbage:
    """The removed files, or those that would be removed, by kind.

    `released`: checkpoints that a study's keep policy gives up; `orphaned`: checkpoints that no trial
    refers to; `scratch`: states of trials that have ended, here and at the artifacts' URL, or here of no
    study; `unfinished`: files whose writing was cut off. `driven` names the studies that were left alone,
    for a living process drives them; `young` counts the files left alone because they are less than an
    hour old, and may be about to be referred to. `unread` says why databases that may need some of the files could
    not be asked, by their URLs.
    """

    storage: str
    dry_run: bool
    driven: tuple[str, ...]
    heaps: dict[str, Heap] = field(default_factory=lambda: {kind: Heap() for kind in KINDS})
    young: int = 0
    unread: Mapping[str, str] = field(default_factory=dict)

    @property
    def files(self) -> int:
        """The number of files of all kinds."""
        return sum(heap.files for heap in self.heaps.values())

    @property
    def bytes(self) -> int:
        """The total size in bytes of files of all kinds."""
        return sum(heap.bytes for heap in self.heaps.values())


def collect_garbage(*, dry_run: bool = False, storage: str | None = None) -> Garbage:
    """Remove the files that no trial needs, after applying the keep policy of each study without a driver.

    Removed are only files marked as this database's, and unmarked files to which no database known in FERSEARCH_HOME
    refers; while one of those databases cannot be read, files that may belong to it stay.

    Args:
        dry_run: only count.
    """
    artifacts = Artifacts(artifacts_folder())
    with open_store(storage) as store:
        # Files are listed before rows are read, so that a file whose row is stored in between counts as young.
        stored, owners, folders = artifacts.digests(), artifacts.owners(), list(_scratch_folders())
        neighbours = Neighbours(store)
        studies = {study.id: study for study in map(store.study, store.study_names())}
        driven = {number for number, study in studies.items() if store.is_driven(study.name)}
        idle = [study for number, study in studies.items() if number not in driven]
        garbage = Garbage(store.url, dry_run, tuple(studies[number].name for number in sorted(driven)))
        released = {key: digest for study in idle for key, digest in _released(store, study, dry_run).items()}
        needed = _needed(store, studies.values(), released)
        spare = {digest: each for digest, each in stored.items() if digest not in needed}
        needed = {digest for digest in spare if neighbours.may_keep(digest, owners.get(digest, set()))}
        alone = {digest: each for digest, each in spare.items() if digest not in needed}
        for each in (
            *_checkpoints(alone, set(released.values()), partial(remove_artifact, store, artifacts)),
            *_unfinished(artifacts),
            *_scratch(store, studies.values(), driven, folders, neighbours),
            *_pushed(store, idle, neighbours),
        ):
            _take(each, garbage)
        if not dry_run:
            _disown(artifacts, store, {digest: owners[digest] for digest in needed & owners.keys()})
        garbage.unread = neighbours.unread
    return garbage


def _disown(artifacts: Artifacts, store: Store, owners: Mapping[str, set[Owner]]) -> None:
    """Remove this database's marks from files that other databases keep, so that they can be removed later."""
    for digest, others in owners.items():
        if any(owner.database != store.identity for owner in others):
            for owner in others:
                if owner.database == store.identity:
                    artifacts.disown(digest, owner)


class _Candidate(NamedTuple):
    """A file to remove, unless it is young; `age` in seconds, None where that does not matter."""

    kind: str
    files: int
    bytes: int
    age: float | None
    remove: Callable[[], object]


def _take(file: _Candidate, garbage: Garbage) -> None:
    """Count a file, and remove it unless this is a dry run."""
    if file.age is not None and file.age < YOUNG:
        garbage.young += file.files
        return
    if not garbage.dry_run:
        try:
            file.remove()
        except OSError as error:
            message = f"cannot remove {error.filename}: {error.strerror}"
            raise FersearchError(message, "grant permission, then run it again") from error
    heap = garbage.heaps[file.kind]
    heap.files += file.files
    heap.bytes += file.bytes


def _released(store: Store, study: StudyRow, dry_run: bool) -> dict[tuple[int, int], str]:
    """Return the checkpoints that a study's policy releases, by study and trial; release them unless `dry_run`."""
    trials = {trial.number: trial for trial in store.trials(study.id)}
    # Members of the front of earlier data stay: they cannot be compared with trials on the newest.
    ended = [trial.number for trial in of_data(trials.values(), study.data_digest) if trial.state.ended]
    trials_released = Keeper(study.spec, study.baseline).released(trials, ended)
    released = {
        (study.id, each.number): digest for each in trials_released if (digest := trials[each.number].checkpoint)
    }
    if released and not dry_run:
        try:
            with Lease.take(store.database, study.id, study.name) as lease, store.writer(study.id, lease) as writer:
                for each in trials_released:
                    writer.release(each)
        except StudyBusy:
            return {}
    return released


def _needed(store: Store, studies: Iterable[StudyRow], but: Container[tuple[int, int]]) -> set[str]:
    """Return the digests of the checkpoints of trials, except those of the trials in `but`."""
    rows = ((study.id, row) for study in studies for row in store.checkpoints(study.id))
    return {row.digest for number, row in rows if (number, row.trial) not in but}


def _checkpoints(
    spare: Mapping[str, Stored], given_up: Container[str], remove: Callable[[str], None]
) -> Iterator[_Candidate]:
    for digest, (size, age) in spare.items():
        if digest in given_up:
            yield _Candidate("released", 1, size, None, partial(remove, digest))
        else:
            yield _Candidate("orphaned", 1, size, age, partial(remove, digest))


def _unfinished(artifacts: Artifacts) -> Iterator[_Candidate]:
    for name, (size, age) in artifacts.unfinished().items():
        yield _Candidate("unfinished", 1, size, age, partial(artifacts.remove_unfinished, name))


def _scratch(
    store: Store, studies: Iterable[StudyRow], driven: Container[int], folders: Iterable[Path], neighbours: Neighbours
) -> Iterator[_Candidate]:
    """Yield the states of ended trials, and old ones that no row refers to."""
    own = {study.uid: study for study in studies}
    states: dict[str, dict[int, TrialState]] = {}
    for folder in folders:
        uid, number = folder.parent.name, int(folder.name.partition("-")[0])
        study = own.get(uid)
        if (study is not None and study.id in driven) or is_held(folder):
            continue
        if study is not None and uid not in states:
            states[uid] = {trial.number: trial.state for trial in store.trials(study.id)}
        state = states.get(uid, {}).get(number)
        owner = owner_of(folder.parent) if study is None else Owner(store.identity, uid)
        if (state is None or state.ended) and not neighbours.may_run(uid, number, owner):
            yield _folder(folder, known=state is not None)


def _pushed(store: Store, idle: Iterable[StudyRow], neighbours: Neighbours) -> Iterator[_Candidate]:
    """Yield the states at the artifacts' URL of ended trials; those of other databases' studies stay."""
    place = artifacts_folder()
    if not isinstance(place, str):
        return
    trials = ((study.uid, trial) for study in idle for trial in store.trials(study.id))
    ended = {(key, str(trial.number)) for key, trial in trials if trial.state.ended}
    heaps: dict[tuple[str, str], Heap] = defaultdict(Heap)
    for name, listed in Remote(f"{place}/runs").files().items():
        key, _, rest = name.partition("/")
        heap = heaps[key, rest.partition("/")[0]]
        heap.files, heap.bytes = heap.files + 1, heap.bytes + listed.bytes
    for (key, number), heap in heaps.items():
        if (key, number) in ended and not neighbours.may_run(key, int(number), Owner(store.identity, key)):
            yield _Candidate(
                "scratch", heap.files, heap.bytes, None, Remote(states_url(key, int(number), place)).remove_all
            )


def _folder(folder: Path, known: bool) -> _Candidate:
    files = [stat for path in folder.rglob("*") if (stat := _stat(path)) is not None]
    newest = max((stat.st_mtime for stat in files), default=0.0)
    age = None if known else time.time() - newest
    return _Candidate("scratch", len(files), sum(s.st_size for s in files), age, partial(remove_unlocked, folder))


def _scratch_folders() -> Iterator[Path]:
    """Yield the scratch folders of trials: `runs/STUDY/TRIAL`, by a study's random id, or a number in old versions.

    An attempt that did not get its trial's folder has one `runs/STUDY/TRIAL-...` of its own.
    """
    for folder in runs_folder().glob("*/*"):
        if _TRIAL.fullmatch(folder.name) and _STUDY.fullmatch(folder.parent.name) and folder.is_dir():
            yield folder


def _stat(path: Path) -> os.stat_result | None:
    """Return the stat of a file; None for a folder or a vanished file."""
    with suppress(FileNotFoundError):
        return path.stat() if path.is_file() else None
    return None

"""Files that no trial keeps: checkpoints given up or forgotten, and what unfinished work left behind."""

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
    """Files of one kind: how many there are, and their size in bytes."""

    files: int = 0
    bytes: int = 0


@dataclass
class Garbage:
    """What was removed, or would be, by kind.

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
        """How many files of all kinds."""
        return sum(heap.files for heap in self.heaps.values())

    @property
    def bytes(self) -> int:
        """Their size in bytes."""
        return sum(heap.bytes for heap in self.heaps.values())


def collect_garbage(*, dry_run: bool = False, storage: str | None = None) -> Garbage:
    """Remove the files that no trial needs, after each study that nobody drives was held to its keep policy.

    Only what is this database's own goes, and what nobody marked and no database known in FERSEARCH_HOME refers to;
    while one of those cannot be read, what may be its own stays.

    Args:
        dry_run: only count.
    """
    artifacts = Artifacts(artifacts_folder())
    with open_store(storage) as store:
        # Files are listed before rows are read: what gets its row in between is in a young file.
        stored, owners, folders = artifacts.digests(), artifacts.owners(), list(_scratch_folders())
        neighbours = Neighbours(store)
        studies = {study.id: study for study in map(store.study, store.study_names())}
        driven = {number for number, study in studies.items() if store.is_driven(study.name)}
        idle = [study for number, study in studies.items() if number not in driven]
        found = Garbage(store.url, dry_run, tuple(studies[number].name for number in sorted(driven)))
        given_up = {key: digest for study in idle for key, digest in _given_up(store, study, dry_run).items()}
        kept = _kept(store, studies.values(), given_up)
        spare = {digest: each for digest, each in stored.items() if digest not in kept}
        needed = {digest for digest in spare if neighbours.may_keep(digest, owners.get(digest, set()))}
        alone = {digest: each for digest, each in spare.items() if digest not in needed}
        for each in (
            *_checkpoints(alone, set(given_up.values()), partial(remove_artifact, store, artifacts)),
            *_unfinished(artifacts),
            *_scratch(store, studies.values(), driven, folders, neighbours),
            *_pushed(store, idle, neighbours),
        ):
            _take(each, found)
        if not dry_run:
            _disown(artifacts, store, {digest: owners[digest] for digest in needed & owners.keys()})
        found.unread = neighbours.unread
    return found


def _disown(artifacts: Artifacts, store: Store, owners: Mapping[str, set[Owner]]) -> None:
    """Take this database's marks from files that others keep, so that they may go once those need them no more."""
    for digest, those in owners.items():
        if any(owner.database != store.identity for owner in those):
            for owner in those:
                if owner.database == store.identity:
                    artifacts.disown(digest, owner)


class _Find(NamedTuple):
    """Something to remove, unless it is young; `age` in seconds, None where that does not matter."""

    kind: str
    files: int
    bytes: int
    age: float | None
    remove: Callable[[], object]


def _take(one: _Find, found: Garbage) -> None:
    """Count it, and remove it if that was asked for."""
    if one.age is not None and one.age < YOUNG:
        found.young += one.files
        return
    if not found.dry_run:
        try:
            one.remove()
        except OSError as error:
            told = f"cannot remove {error.filename}: {error.strerror}"
            raise FersearchError(told, "give permission, then run it again") from error
    heap = found.heaps[one.kind]
    heap.files += one.files
    heap.bytes += one.bytes


def _given_up(store: Store, study: StudyRow, dry_run: bool) -> dict[tuple[int, int], str]:
    """The digests of the checkpoints that a study's policy gives up, by study and trial; given up unless `dry_run`."""
    trials = {trial.number: trial for trial in store.trials(study.id)}
    # What stood on the front of earlier data stays: no trial of the newest is better or worse than it.
    ended = [trial.number for trial in of_data(trials.values(), study.data_digest) if trial.state.ended]
    gone = Keeper(study.spec, study.baseline).released(trials, ended)
    found = {(study.id, each.number): digest for each in gone if (digest := trials[each.number].checkpoint)}
    if found and not dry_run:
        try:
            with Lease.take(store.database, study.id, study.name) as lease, store.writer(study.id, lease) as writer:
                for each in gone:
                    writer.release(each)
        except StudyBusy:
            return {}
    return found


def _kept(store: Store, studies: Iterable[StudyRow], but: Container[tuple[int, int]]) -> set[str]:
    """The digests of the checkpoints that trials keep, but for some trials."""
    rows = ((study.id, row) for study in studies for row in store.checkpoints(study.id))
    return {row.digest for number, row in rows if (number, row.trial) not in but}


def _checkpoints(
    spare: Mapping[str, Stored], given_up: Container[str], remove: Callable[[str], None]
) -> Iterator[_Find]:
    for digest, (size, age) in spare.items():
        if digest in given_up:
            yield _Find("released", 1, size, None, partial(remove, digest))
        else:
            yield _Find("orphaned", 1, size, age, partial(remove, digest))


def _unfinished(artifacts: Artifacts) -> Iterator[_Find]:
    for name, (size, age) in artifacts.unfinished().items():
        yield _Find("unfinished", 1, size, age, partial(artifacts.remove_unfinished, name))


def _scratch(
    store: Store, studies: Iterable[StudyRow], driven: Container[int], folders: Iterable[Path], neighbours: Neighbours
) -> Iterator[_Find]:
    """The states of trials that have ended, and, once they are old, of those that no row speaks of."""
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


def _pushed(store: Store, idle: Iterable[StudyRow], neighbours: Neighbours) -> Iterator[_Find]:
    """The states at the artifacts' URL of trials that have ended; those of other databases' studies stay."""
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
            yield _Find("scratch", heap.files, heap.bytes, None, Remote(states_url(key, int(number), place)).remove_all)


def _folder(folder: Path, known: bool) -> _Find:
    files = [stat for path in folder.rglob("*") if (stat := _stat(path)) is not None]
    newest = max((stat.st_mtime for stat in files), default=0.0)
    age = None if known else time.time() - newest
    return _Find("scratch", len(files), sum(s.st_size for s in files), age, partial(remove_unlocked, folder))


def _scratch_folders() -> Iterator[Path]:
    """The scratch folders of trials: `runs/STUDY/TRIAL`, by a study's random id, or a number as in early versions.

    An attempt that did not get its trial's folder has one `runs/STUDY/TRIAL-...` of its own.
    """
    for folder in runs_folder().glob("*/*"):
        if _TRIAL.fullmatch(folder.name) and _STUDY.fullmatch(folder.parent.name) and folder.is_dir():
            yield folder


def _stat(path: Path) -> os.stat_result | None:
    """What the disk says of a file; None of a folder, and of what has vanished."""
    with suppress(FileNotFoundError):
        return path.stat() if path.is_file() else None
    return None

"""A file that is moved, removed or replaced under an open database is noticed, and nothing more is written to it."""

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import event, insert

from fersearch.errors import StoreUnavailable
from fersearch.store import Lease, Store, StudyRow
from fersearch.store import writer as writer_module
from fersearch.store.tables import looks, now
from fersearch.store.writer import Writer
from fersearch.trial import Attempt, Epoch, Trial
from tests.store.conftest import make_spec

BESIDE = ("", "-wal", "-shm")


@pytest.fixture
def dialect() -> str:
    return "sqlite"


@pytest.fixture
def path(store: Store, study: StudyRow) -> Path:
    assert store.database.file is not None
    return store.database.file.path


@pytest.fixture
def lease(store: Store, study: StudyRow) -> Iterator[Lease]:
    lease = Lease.take(store.database, study.id, study.name)
    yield lease
    lease._released.set()


@pytest.fixture
def writer(store: Store, study: StudyRow, lease: Lease, monkeypatch: pytest.MonkeyPatch) -> Iterator[Writer]:
    """A driver's writer that tries again at once, with one epoch committed."""
    monkeypatch.setattr(writer_module, "PAUSES", (0.005,))
    monkeypatch.setattr(writer_module, "CLOSING_SECONDS", 0.0)
    writer = store.writer(study.id, lease)
    writer.add_trial(Trial(0, {}))
    writer.start_attempt(0, Attempt(1))
    tell(writer, 1)
    writer.flush()
    yield writer
    with suppress(StoreUnavailable):
        writer.close()


def tell(writer: Writer, number: int) -> None:
    writer.record(0, 1, Epoch(number, {"f1_macro": 0.5}, 1.0))


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def noticed(writer: Writer, number: int) -> str:
    """The error once an epoch could not be written."""
    tell(writer, number)
    until(lambda: writer.outage)
    return writer.trouble


def move(path: Path, name: str) -> list[Path]:
    """Move a database with what lies beside it; returns where it all went."""
    result = [path.with_name(path.name + end) for end in BESIDE]
    return [one.rename(one.with_name(name + one.name.removeprefix(path.name))) for one in result if one.exists()]


def copy(path: Path, name: str) -> None:
    for end in BESIDE:
        if (one := path.with_name(path.name + end)).exists():
            shutil.copy(one, path.with_name(name + end))


def epochs(path: Path) -> list[int]:
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        result = [number for (number,) in connection.execute("SELECT number FROM epochs ORDER BY number")]
    connection.close()
    return result


def test_a_file_that_was_moved_is_noticed_and_waited_for(path: Path, writer: Writer, store: Store, study: StudyRow):
    aside = move(path, "aside.db")
    assert noticed(writer, 2) == f"database sqlite:///{path}: the file is gone"
    with pytest.raises(StoreUnavailable, match="the file is gone"):
        store.studies()
    assert not path.exists()
    for one in aside:
        one.rename(path.with_name(path.name + one.name.removeprefix("aside.db")))
    writer.flush()
    assert (writer.outage, [epoch.number for epoch in store.history(study.id, 0)]) == (0, [1, 2])


@pytest.mark.parametrize("end", ["-wal", "-shm"])
def test_a_log_that_was_removed_is_noticed_and_its_rows_are_put_back(
    path: Path, writer: Writer, store: Store, study: StudyRow, end: str
):
    path.with_name(path.name + end).unlink()
    tell(writer, 2)
    writer.flush()
    assert store.repaired() == [
        f"database sqlite:///{path}: {path.name}{end} was removed beside it; "
        "its content was restored, and nothing is lost: do not remove such files"
    ]
    assert store.repaired() == []
    assert (writer.outage, [epoch.number for epoch in store.history(study.id, 0)]) == (0, [1, 2])
    assert epochs(path) == [1, 2]
    assert path.with_name(path.name + end).exists()


def test_a_removed_log_is_waited_for_while_another_one_has_the_database_open(path: Path, writer: Writer):
    other = sqlite3.connect(path)
    assert other.execute("SELECT count(*) FROM epochs").fetchone() == (1,)
    path.with_name(f"{path.name}-wal").unlink()
    assert "was removed beside it" in noticed(writer, 2)
    shutil.copy(path, path.with_name("alone.db"))
    assert epochs(path.with_name("alone.db")) in ([1], [1, 2])
    with pytest.raises(StoreUnavailable, match="end other programs that have the database open"):
        writer._database.read().__enter__()
    other.close()
    writer.flush()
    assert epochs(path) == [1, 2]


def test_a_log_that_was_replaced_is_not_touched(path: Path, writer: Writer):
    log = path.with_name(f"{path.name}-wal")
    log.unlink()
    log.write_bytes(b"rows of another process")
    assert noticed(writer, 2).endswith("-wal was removed beside it and another one made")
    assert log.read_bytes() == b"rows of another process"


def test_after_that_nothing_is_written_to_the_old_file_nor_beside_it(path: Path, writer: Writer, lease: Lease):
    path.rename(path.with_name("aside.db"))
    noticed(writer, 2)
    result = [path.with_name(name) for name in ("aside.db", f"{path.name}-wal")]
    before = [one.read_bytes() for one in result]
    for number in range(3, 9):
        tell(writer, number)
    with pytest.raises(StoreUnavailable, match="the file is gone"):
        lease.beat()
    assert not lease.lost
    with pytest.raises(StoreUnavailable):
        writer.close()
    assert [one.read_bytes() for one in result] == before
    assert not path.exists()
    path.with_name("aside.db").rename(path)
    assert epochs(path) == [1]


def test_a_file_that_was_removed_never_takes_what_was_written_since(path: Path, writer: Writer):
    for end in BESIDE:
        path.with_name(path.name + end).unlink()
    assert "the file is gone" in noticed(writer, 2)
    assert list(path.parent.iterdir()) == []
    with pytest.raises(StoreUnavailable, match="the last 1 changes") as caught:
        writer.close()
    assert "put the file back, or a copy of it that is no older" in caught.value.hint
    assert "continue with: fersearch study run faces" in caught.value.hint


def test_a_copy_with_the_same_rows_is_gone_on_with(path: Path, writer: Writer, store: Store, study: StudyRow):
    copy(path, "copy.db")
    move(path, "old.db")
    noticed(writer, 2)
    move(path.with_name("copy.db"), path.name)
    writer.flush()
    assert [epoch.number for epoch in store.history(study.id, 0)] == [1, 2]
    assert epochs(path) == [1, 2]
    assert epochs(path.with_name("old.db")) == [1]


def test_an_older_copy_is_not_gone_on_with_and_stays_as_it_is(path: Path, writer: Writer, lease: Lease):
    copy(path, "older.db")
    tell(writer, 2)
    writer.flush()
    move(path, "new.db")
    move(path.with_name("older.db"), path.name)
    assert noticed(writer, 3).endswith(": an older copy is in its place")
    with pytest.raises(StoreUnavailable):
        lease.beat()
    assert not lease.lost
    assert (epochs(path), epochs(path.with_name("new.db"))) == ([1], [1, 2])
    move(path, "older.db")
    move(path.with_name("new.db"), path.name)
    writer.flush()
    assert epochs(path) == [1, 2, 3]


def test_passing_time_alone_makes_no_copy_older(path: Path, writer: Writer, lease: Lease):
    copy(path, "copy.db")
    writer.add_seconds(2.0)
    writer.flush()
    lease.beat()
    move(path, "old.db")
    move(path.with_name("copy.db"), path.name)
    tell(writer, 2)
    writer.flush()
    assert epochs(path) == [1, 2]


def test_a_copy_from_before_the_run_is_older_and_does_not_read_as_taken_over(store: Store, study: StudyRow):
    assert store.database.file is not None
    path = store.database.file.path
    copy(path, "before.db")
    lease = Lease.take(store.database, study.id, study.name)
    move(path, "new.db")
    move(path.with_name("before.db"), path.name)
    with pytest.raises(StoreUnavailable, match="an older copy is in its place"):
        lease.beat()
    assert not lease.lost
    lease._released.set()


@pytest.mark.parametrize("kind", ["database", "empty", "text"])
def test_another_file_at_the_place_is_left_alone(path: Path, writer: Writer, kind: str):
    move(path, "old.db")
    url = f"sqlite:///{path}"
    if kind == "database":
        with Store.open(url) as other:
            other.create_study(make_spec())
    else:
        path.write_text("notes" * 1000 if kind == "text" else "")
    message = {"database": "another database is in its place"}.get(kind, "another file is in its place")
    assert noticed(writer, 2) == f"database {url}: {message}"
    if kind == "database":
        assert epochs(path) == []
    else:
        assert path.read_text() == ("notes" * 1000 if kind == "text" else "")
    for end in BESIDE:
        path.with_name(path.name + end).unlink(missing_ok=True)
    move(path.with_name("old.db"), path.name)
    writer.flush()
    assert epochs(path) == [1, 2]


def look(store: Store, study: StudyRow, meanwhile: Callable[[], object] = lambda: None) -> None:
    """Write a row, and do something before it is committed."""
    row = {"study_id": study.id, "checkpoint": "c", "dataset": "d", "split": "test", "n": 1}
    with store.database.write() as connection:
        connection.execute(insert(looks), [row | {"looked_at": now(), "metrics": {}}])
        meanwhile()


def count(path: Path) -> int:
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        (result,) = connection.execute("SELECT count(*) FROM looks").fetchone()
    connection.close()
    return int(result)


def test_a_transaction_whose_file_goes_is_rolled_back(store: Store, study: StudyRow, path: Path):
    with pytest.raises(StoreUnavailable, match="the file is gone"):
        look(store, study, lambda: move(path, "aside.db"))
    assert count(path.with_name("aside.db")) == 0


def test_a_commit_to_a_file_that_had_just_gone_is_not_taken_for_one(store: Store, study: StudyRow, path: Path):
    event.listen(store.database.engine, "commit", lambda _: path.rename(path.with_name("aside.db")), once=True)
    with pytest.raises(StoreUnavailable, match="the file is gone"):
        look(store, study)


def test_a_transaction_under_way_is_not_taken_for_one_in_the_file_that_replaced_its_own(
    store: Store, study: StudyRow, path: Path
):
    def replace() -> None:
        copy(path, "copy.db")
        move(path, "aside.db")
        move(path.with_name("copy.db"), path.name)

    with pytest.raises(StoreUnavailable, match="was replaced while it was written to"):
        look(store, study, replace)
    assert (count(path), count(path.with_name("aside.db"))) == (0, 0)
    look(store, study)
    assert (count(path), count(path.with_name("aside.db"))) == (1, 0)


def test_a_database_that_is_reached_through_a_link_is_the_one_that_it_leads_to(tmp_path: Path):
    for name in ("one", "two"):
        Store.open(f"sqlite:///{tmp_path / name}").close()
    link = tmp_path / "link.db"
    link.symlink_to("one")
    with Store.open(f"sqlite:///{link}") as store:
        assert store.studies() == []
        link.unlink()
        link.symlink_to("two")
        with pytest.raises(StoreUnavailable, match="another database is in its place"):
            store.studies()


def test_a_lease_that_could_not_be_released_is_free_for_the_same_process(store: Store, study: StudyRow, path: Path):
    lease = Lease.take(store.database, study.id, study.name)
    move(path, "aside.db")
    with pytest.raises(StoreUnavailable, match="the file is gone"):
        lease.release()
    move(path.with_name("aside.db"), path.name)
    Lease.take(store.database, study.id, study.name).release()

"""URLs, journals, file systems, and error messages."""

import threading
from pathlib import Path

import pytest

from fersearch.errors import StoreError
from fersearch.store import Store
from fersearch.store import database as engine
from fersearch.store.database import file_system, is_network
from tests.store.conftest import make_spec

MOUNTS = """\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 27 0:40 / /mnt/share rw - nfs4 server:/share rw
31 30 0:41 / /mnt/share/local rw - tmpfs tmpfs rw
32 27 0:42 / /mnt/with\\040space rw - cifs //server/x rw
"""


@pytest.mark.parametrize("text", ["nonsense", "", "mysql://host/x", "sqlite://", "sqlite:///:memory:", "foo://x"])
def test_a_url_that_cannot_hold_studies_shows_the_forms(text: str) -> None:
    with pytest.raises(StoreError) as caught:
        Store.open(text)
    assert "sqlite:////folder/file.db or postgresql://user@host/name" in caught.value.hint
    assert caught.value.exit_code == 2


def test_postgresql_means_psycopg_3_and_no_password_is_shown() -> None:
    database = engine.Database("postgresql://ada:secret@localhost:1/fer")
    assert database.engine.driver == "psycopg"
    assert database.url == "postgresql://ada:***@localhost:1/fer"
    with pytest.raises(StoreError) as caught, database.read():
        pass
    assert "secret" not in str(caught.value)
    assert caught.value.hint == "check that the database can be reached"


@pytest.mark.parametrize(
    "url", ["postgresql://ada:se@cret@h/fer", "postgresql://ada:se@/cret@h", "x://ada:secret@h:po"]
)
def test_a_password_that_should_be_encoded_is_hidden_and_the_encoding_explained(url: str) -> None:
    with pytest.raises(StoreError) as caught:
        Store.open(url)
    assert "cret" not in str(caught.value)
    assert "percent-encode @ : / % in the user and the password: %40 %3A %2F %25" in caught.value.hint
    assert caught.value.exit_code == 2


def test_the_password_of_a_server_that_is_not_there_is_not_shown() -> None:
    with pytest.raises(StoreError) as caught, engine.Database("postgresql://a:p%40qq:w/d@localhost:1/x").read():
        pass
    assert "qq" not in str(caught.value)


def test_sqlite_has_a_write_ahead_log_and_checks_keys(sqlite_url: str) -> None:
    with Store.open(sqlite_url) as store, store.database.read() as connection:
        pragmas = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "foreign_keys")]
        assert pragmas == ["wal", 1]
        assert store.notice == ""


def test_on_a_network_file_system_there_is_a_rollback_journal_and_a_notice(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Store.open(sqlite_url).close()
    monkeypatch.setattr(engine, "file_system", lambda path: "nfs4")
    with Store.open(sqlite_url) as store:
        store.create_study(make_spec())
        with store.database.read() as connection:
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "delete"
        assert "is on a network file system (nfs4)" in store.notice


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/ada", "ext4"),
        ("/mnt/share/studies", "nfs4"),
        ("/mnt/shared", "ext4"),
        ("/mnt/share/local/x", "tmpfs"),
        ("/mnt/with space/x", "cifs"),
    ],
)
def test_the_innermost_mount_tells_the_file_system(path: str, kind: str) -> None:
    assert file_system(Path(path), MOUNTS) == kind


def test_network_file_systems_are_known() -> None:
    assert [kind for kind in ("ext4", "nfs4", "overlay", "fuse.sshfs", "cifs", "tmpfs", "") if is_network(kind)] == [
        "nfs4",
        "fuse.sshfs",
        "cifs",
    ]


def test_a_database_that_stays_locked_is_reported_as_such(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0.1)
    with Store.open(sqlite_url) as store, Store.open(sqlite_url) as other, other.database.write():
        with pytest.raises(StoreError, match="database is locked") as caught:
            store.create_study(make_spec())
        assert store.study_names() == []
    assert "end that program, then try again" in caught.value.hint


def test_writers_in_many_threads_wait_for_each_other(store: Store) -> None:
    threads = [threading.Thread(target=lambda n=n: store.create_study(make_spec(f"s{n}"))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.study_names()) == 8


def test_a_transaction_that_fails_leaves_nothing(store: Store) -> None:
    def half() -> None:
        with store.database.write() as connection:
            connection.exec_driver_sql("DELETE FROM studies")
            raise KeyError

    store.create_study(make_spec())
    with pytest.raises(KeyError):
        half()
    assert store.study_names() == ["faces"]

"""What only a server can do: let two in at once, end a connection, refuse a user."""

import time

import pytest

from fersearch.errors import StoreError, StoreUnavailable
from fersearch.store import Store
from tests.postgres import Server
from tests.store.conftest import make_spec


@pytest.fixture
def dialect() -> str:
    return "postgresql"


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("tester@/nope?host={folder}", 'database "nope" does not exist', "create the database first (createdb NAME)"),
        ("ada@/postgres?host={folder}", 'role "ada" does not exist', "check the user in the URL"),
        ("eve@/postgres?host={folder}", "permission denied for schema public", "GRANT CREATE ON SCHEMA public"),
        ("tester@/postgres?host={folder}&colour=red", 'invalid connection option "colour"', "the question mark"),
        ("tester@/postgres?host=/nowhere", "No such file or directory", "check that the database can be reached"),
        ("127.0.0.1:1/postgres", "Connection refused", "check that the database can be reached"),
    ],
)
def test_a_server_that_refuses_the_connection_is_explained(server: Server, text: str, message: str, hint: str) -> None:
    server.execute("DROP ROLE IF EXISTS eve")
    server.execute("CREATE ROLE eve LOGIN")
    with pytest.raises(StoreError) as caught:
        Store.open("postgresql://" + text.format(folder=server.folder))
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert "\n" not in caught.value.message


def test_a_password_is_not_shown_wherever_it_stands(url: str) -> None:
    with Store.open(f"{url}&password=secret&sslpassword=secret") as store:
        assert "secret" not in store.url
    with Store.open(url.replace("tester@", "tester:secret@")) as store:
        assert store.url.startswith("postgresql://tester:***@/")


def test_the_server_knows_who_is_connected(store: Store, url: str) -> None:
    with store.database.read() as connection:
        name = connection.exec_driver_sql("SELECT current_setting('application_name')").scalar()
    assert str(name).startswith("fersearch ")
    with Store.open(f"{url}&application_name=mine") as other, other.database.read() as connection:
        assert connection.exec_driver_sql("SELECT current_setting('application_name')").scalar() == "mine"


def test_a_database_without_an_encoding_keeps_every_text(server: Server) -> None:
    with Store.open(server.create("ENCODING SQL_ASCII LOCALE 'C' TEMPLATE template0")) as store:
        store.create_study(make_spec("Gesichter – 顔"))
        assert store.study_names() == ["Gesichter – 顔"]


def test_reading_sees_one_moment_and_writes_nothing(store: Store) -> None:
    with store.database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM studies").scalar() == 0
        store.create_study(make_spec())
        assert connection.exec_driver_sql("SELECT count(*) FROM studies").scalar() == 0
    with pytest.raises(StoreError, match="read-only transaction"), store.database.read() as connection:
        connection.exec_driver_sql("DELETE FROM studies")
    assert store.study_names() == ["faces"]


def test_connections_that_broke_while_idle_are_replaced(store: Store, server: Server, url: str) -> None:
    server.clean(url)
    assert store.study_names() == []


def test_a_connection_that_breaks_in_the_middle_is_unavailable_and_nothing_is_written(
    store: Store, server: Server, url: str
) -> None:
    def cut_off() -> None:
        with store.database.write() as connection:
            connection.exec_driver_sql("DELETE FROM studies")
            server.clean(url)

    store.create_study(make_spec())
    with pytest.raises(StoreUnavailable):
        cut_off()
    assert store.study_names() == ["faces"]


def test_who_waits_too_long_for_a_row_is_reported(store: Store, url: str) -> None:
    def wait() -> None:
        with Store.open(url) as other, other.database.write() as second:
            second.exec_driver_sql("SET LOCAL lock_timeout = '50ms'")
            second.exec_driver_sql("UPDATE studies SET seconds_run = 1")

    store.create_study(make_spec())
    with store.database.write() as connection:
        connection.exec_driver_sql("SELECT 1 FROM studies FOR UPDATE")
        with pytest.raises(StoreUnavailable, match="lock timeout") as caught:
            wait()
    assert "another program keeps it locked" in caught.value.hint


def test_a_server_that_stands_still_keeps_nobody_from_noticing(server: Server) -> None:
    """A connection to a frozen server is given up after its connect timeout."""
    server.freeze()
    try:
        started = time.monotonic()
        with pytest.raises(StoreUnavailable):
            Store.open(server.url("postgres") + "&connect_timeout=2")
        assert time.monotonic() - started < 60
    finally:
        server.thaw()

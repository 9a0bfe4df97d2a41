"""An inspection of a database changes nothing, and reports its content."""

from pathlib import Path

import pytest
from sqlalchemy import insert, text

from fersearch.errors import StoreError
from fersearch.store import Store
from fersearch.store.schema import SCHEMA, VERSION_TABLE, check_up
from fersearch.store.tables import checkpoints, now, trials

DIGEST = "ab" * 32


def test_a_database_without_tables_is_left_so(fresh_url):
    result = check_up(fresh_url)
    assert (result.schema, result.newest, result.checkpoints) == (None, SCHEMA, {})
    assert check_up(fresh_url).schema is None
    if result.path is not None:
        assert not result.path.parent.exists()


def test_what_its_rows_keep_is_named(store, study, url):
    trial = {"study_id": study.id, "number": 4, "state": "complete", "epochs": 1, "created_at": now()}
    with store.database.write() as connection:
        connection.execute(insert(trials).values(**trial, params={}, verdict={}, space={}, sampler_state={}))
        connection.execute(insert(checkpoints).values(study_id=study.id, trial=4, digest=DIGEST, created_at=now()))
    result = check_up(url)
    assert result.schema == SCHEMA
    assert result.checkpoints == {DIGEST: ("faces", 4)}
    assert result.url == store.url


def test_only_a_server_has_a_clock_of_its_own(store, url, dialect):
    ahead = check_up(url).ahead
    assert ahead is None if dialect == "sqlite" else abs(ahead) < 5


def test_an_older_schema_stays_as_it_is(store, url):
    with store.database.write() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '1'"))
    try:
        assert (check_up(url).schema, check_up(url).checkpoints) == (1, {})
    finally:
        with store.database.write() as connection:
            connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '{SCHEMA}'"))


def test_a_newer_schema_is_refused(sqlite_url):
    with Store.open(sqlite_url) as store, store.database.write() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '99'"))
    with pytest.raises(StoreError, match="by a newer fersearch"):
        check_up(sqlite_url)


def test_a_file_that_is_no_database_is_reported(tmp_path: Path):
    (tmp_path / "notes.db").write_text("these are notes, no database" * 100)
    with pytest.raises(StoreError, match="file is not a database"):
        check_up(f"sqlite:///{tmp_path / 'notes.db'}")


def test_a_password_is_not_shown(server, monkeypatch):
    result = check_up(server.create().replace("tester@", "tester:secret@"))
    assert "secret" not in result.url

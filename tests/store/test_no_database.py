"""Who only reads makes no database."""

from pathlib import Path

import pytest

from fersearch.errors import NoDatabase, StoreError
from fersearch.store import Store
from tests.store.conftest import make_spec


def test_one_that_may_not_be_made_is_missed(fresh_url: str, dialect: str) -> None:
    with pytest.raises(NoDatabase) as caught:
        Store.open(fresh_url, create=False)
    assert caught.value.exit_code == 2
    assert caught.value.message.startswith("no database exists at ")
    assert "fersearch study create" in caught.value.hint
    if dialect == "sqlite":
        assert not Path(fresh_url.removeprefix("sqlite:///")).parent.exists()
    else:
        assert caught.value.message.endswith(": it holds no tables of fersearch")
    with pytest.raises(NoDatabase):
        Store.open(fresh_url, create=False)


def test_one_that_was_made_is_opened(fresh_url: str) -> None:
    with Store.open(fresh_url) as store:
        store.create_study(make_spec())
    with Store.open(fresh_url, create=False) as store:
        assert store.study_names() == ["faces"]


def test_an_empty_file_is_no_database_and_stays_empty(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.touch()
    with pytest.raises(NoDatabase):
        Store.open(f"sqlite:///{path}", create=False)
    assert (path.read_bytes(), list(tmp_path.iterdir())) == (b"", [path])


def test_another_programs_tables_are_still_named(tmp_path: Path) -> None:
    import sqlite3

    path = tmp_path / "optuna.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE studies (study_id INTEGER)")
    connection.close()
    with pytest.raises(StoreError, match="belongs to another program"):
        Store.open(f"sqlite:///{path}", create=False)


def test_a_file_under_a_file_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NoDatabase):
        Store.open(f"sqlite:///{tmp_path}/file/x.db", create=False)

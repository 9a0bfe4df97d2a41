"""A database is created, recognised, or refused with a message."""

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from fersearch.errors import StoreError
from fersearch.store import Store, StudyRow, schema
from fersearch.store.database import Database
from fersearch.store.tables import metadata
from fersearch.trial import Attempt, Epoch, Trial, TrialState
from tests.store.conftest import make_spec


def message(url: str) -> tuple[str, str]:
    with pytest.raises(StoreError) as caught:
        Store.open(url)
    return caught.value.message, caught.value.hint


def changes(store: Store) -> list[object]:
    """What differs between the tables in a database and those that the code knows."""
    with store.database.read() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": schema.VERSION_TABLE})
        return list(compare_metadata(context, metadata))


def random_ids(store: Store, table: str) -> list[str]:
    """The random ids that a table holds."""
    column = {"studies": "uid", "identity": "id"}[table]
    with store.database.read() as connection:
        return list(connection.exec_driver_sql(f"SELECT {column} FROM {table}").scalars())


def test_the_migrations_make_the_tables_that_the_code_knows(store: Store) -> None:
    assert changes(store) == []


def test_the_newest_migration_is_the_one_the_code_knows() -> None:
    config = Config()
    config.set_main_option("path_separator", "os")
    config.set_main_option("script_location", str(Path(schema.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_heads() == [str(schema.SCHEMA)]


def test_rows_of_an_older_version_are_preserved(fresh_url: str) -> None:
    moment, epoch = "'2026-01-01 00:00:00'", "1, 3, 1, 2"
    older = Database(fresh_url)
    with older.write() as connection:
        schema._migrate(connection, "1")
        for row in (
            f"studies VALUES (1, 'old', 'cnn', 'faces', '', {moment}, 0, '{{}}', '{{}}')",
            f"trials VALUES (1, 3, 'complete', 2, 2, NULL, {moment}, {moment}, '{{}}', '{{}}', '{{}}', '{{}}')",
            f"attempts VALUES (1, 3, 1, 'done', 1, 2, 1, 1, {moment}, {moment}, NULL, NULL, NULL, NULL, '', '')",
            f"epochs VALUES ({epoch}, 1, 1, {moment})",
            f"metric_values VALUES ({epoch}, 'f1_macro', 0.5)",
            f"confusion_matrices VALUES ({epoch}, '[[1]]')",
        ):
            connection.exec_driver_sql(f"INSERT INTO {row}")
    older.close()
    with Store.open(fresh_url) as store:
        (result,) = store.history(1, 3)
        assert (result.number, result.values, result.confusion) == (2, {"f1_macro": 0.5}, [[1]])
        assert changes(store) == []
        with store.database.read() as connection:
            seen = connection.exec_driver_sql("SELECT * FROM epoch_results").fetchall()
        ids = {table: random_ids(store, table) for table in ("studies", "identity")}
    assert seen == [("old", 3, 1, 2, "f1_macro", 0.5)]
    assert [len(uid) for uid in (*ids["studies"], *ids["identity"])] == [32, 32]


def test_preprocessing_of_an_older_database_has_its_present_name(fresh_url: str) -> None:
    moment = "'2026-01-01 00:00:00'"
    spec = """'{"dataset_options": {"preprocess": "ferplus"}, "dataset": "ferplus"}'"""
    space = """'{"preprocess": {"kind": "choice", "options": ["none", "ferplus"], "search": "ferplus"}}'"""
    params = """'{"preprocess": "ferplus", "width": 2}'"""
    older = Database(fresh_url)
    with older.write() as connection:
        schema._migrate(connection, "9")
        for row in (
            f"studies (id, name, model, dataset, objectives, created_at, seconds_run, baseline, spec)"
            f" VALUES (1, 'old', 'cnn', 'ferplus', '', {moment}, 0, '{{}}', {spec})",
            f"trials (study_id, number, state, epochs, created_at, params, verdict, space, sampler_state)"
            f" VALUES (1, 3, 'complete', 2, {moment}, {params}, '{{}}', {space}, '{{}}')",
            f"prior_trials VALUES (1, 4, {params}, '{{}}')",
            f"control (id, study_id, kind, issued_at, payload) VALUES (1, 1, 'enqueue', {moment}, {params})",
        ):
            connection.exec_driver_sql(f"INSERT INTO {row}")
    older.close()
    with Store.open(fresh_url) as store, store.database.read() as connection:
        stored = {
            column: json.loads(connection.exec_driver_sql(f"SELECT {column} FROM {table}").scalar_one())
            for column, table in (
                ("spec", "studies"),
                ("params", "trials"),
                ("space", "trials"),
                ("payload", "control"),
            )
        }
    assert stored["spec"] == {"dataset_options": {"preprocess": "illumination"}, "dataset": "ferplus"}
    assert stored["params"] == stored["payload"] == {"preprocess": "illumination", "width": 2}
    assert stored["space"]["preprocess"]["options"] == ["none", "illumination"]


def test_a_missing_folder_is_made(tmp_path: Path) -> None:
    Store.open(f"sqlite:///{tmp_path}/a/b c/x.db").close()
    assert (tmp_path / "a" / "b c" / "x.db").is_file()


def test_a_home_folder_may_be_written_as_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    Store.open("sqlite:///~/x.db").close()
    assert (tmp_path / "x.db").is_file()


def test_a_store_is_reopened(url: str) -> None:
    with Store.open(url) as store:
        store.create_study(make_spec())
    with Store.open(url) as store:
        assert store.study_names() == ["faces"]


def test_alembic_is_not_imported_to_open_what_is_up_to_date(url: str) -> None:
    Store.open(url).close()
    code = f"""
import sys
from fersearch.store import Store
Store.open({url!r}).studies()
heavy = [name for name in ("alembic", "sqlalchemy.orm", "torch", "optuna", "numpy") if name in sys.modules]
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_newer_database_is_refused(fresh_url: str) -> None:
    with Store.open(fresh_url) as store, store.database.write() as connection:
        connection.exec_driver_sql(f"UPDATE {schema.VERSION_TABLE} SET version_num = '99'")
    result, hint = message(fresh_url)
    assert result == f"database {store.url} was made by a newer fersearch (schema 99; this one knows {schema.SCHEMA})"
    assert hint.startswith("upgrade fersearch")


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("these are my notes, at some length, and no database at all\n" * 100)
    before = path.read_bytes()
    result, hint = message(f"sqlite:///{path}")
    assert result == f"database sqlite:///{path}: file is not a database"
    assert "move it elsewhere" in hint
    assert path.read_bytes() == before


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    result, hint = message(f"sqlite:///{tmp_path}")
    assert str(tmp_path) in result
    assert "unable to open database file" in result
    assert "check that the path is a file" in hint


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result, hint = message(f"sqlite:///{tmp_path}/file/x.db")
    assert result.startswith(f"cannot make the folder of database {tmp_path}/file/x.db")
    assert "--storage" in hint


def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "optuna.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE studies (study_id INTEGER)")
    result, _ = message(f"sqlite:///{path}")
    assert result == f"database sqlite:///{path} belongs to another program: it has a table 'studies'"
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("studies",)]


def test_a_creation_that_fails_leaves_an_empty_database(fresh_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(connection: object) -> None:
        real(connection)  # type: ignore[arg-type]
        raise StoreError("cut off")

    real = schema._migrate
    monkeypatch.setattr(schema, "_migrate", fail)
    with pytest.raises(StoreError, match="cut off"):
        Store.open(fresh_url)
    monkeypatch.undo()
    with Store.open(fresh_url) as store:
        assert store.studies() == []


def test_processes_that_open_a_fresh_database_at_once_all_succeed(fresh_url: str) -> None:
    code = f"""
import os
from fersearch.store import Store
os.fork(), os.fork()
os.write(1, repr(Store.open({fresh_url!r}).study_names()).encode())
"""
    four = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    assert four.stdout == b"[]" * 4


def test_a_person_can_read_results_by_plain_sql(store: Store, study: StudyRow) -> None:
    with store.writer(study.id) as writer:
        writer.add_trial(Trial(0, {"lr": 0.1}, TrialState.COMPLETE, {"f1_macro": 0.5}))
        writer.start_attempt(0, Attempt(1))
        writer.record(0, 1, Epoch(1, {"f1_macro": 0.5}, 1.0))
        writer.update_trial(Trial(0, {"lr": 0.1}, TrialState.COMPLETE, {"f1_macro": 0.5}))
    with store.database.read() as connection:
        results = connection.exec_driver_sql("SELECT * FROM trial_results").fetchall()
        epochs = connection.exec_driver_sql("SELECT * FROM epoch_results").fetchall()
        state = connection.exec_driver_sql("SELECT state FROM trials WHERE number = 0").fetchone()
    assert results == [("faces", 0, "complete", "f1_macro", 0.5, '{"lr": 0.1}')]
    assert epochs == [("faces", 0, 1, 1, "f1_macro", 0.5)]
    assert state == ("complete",)

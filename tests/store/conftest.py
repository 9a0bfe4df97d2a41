"""A store of its own for each test, on SQLite and on PostgreSQL, with one study."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from fersearch.space import Choice, Float, Space
from fersearch.store import Store, StudyRow
from fersearch.store.tables import metadata
from fersearch.study import Objective, StudySpec
from tests.postgres import Server, Unavailable


def make_spec(name: str = "faces") -> StudySpec:
    space = Space({"optimizer": Choice("sgd", "adam"), "momentum": Float(0.5, 0.9, when={"optimizer": ("sgd",)})})
    objectives = (Objective("f1_macro", "max"), Objective("train_seconds", "min"))
    return StudySpec(name, "cnn", "faces", objectives, space)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL server that all tests share."""
    try:
        server = Server()
    except Unavailable as reason:
        pytest.skip(str(reason))
    yield server
    server.close()


@pytest.fixture(scope="session")
def with_tables(server: Server) -> str:
    """The URL of a database that has the tables already."""
    url = server.create()
    Store.open(url).close()
    return url


@pytest.fixture(scope="session")
def without_tables(server: Server) -> str:
    return server.create()


@pytest.fixture(scope="session")
def file_with_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an SQLite database that has the tables already; to be copied."""
    file = tmp_path_factory.mktemp("tables") / "fersearch.db"
    Store.open(f"sqlite:///{file}").close()
    return file


@pytest.fixture(params=["sqlite", "postgresql"])
def dialect(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'home' / 'fersearch.db'}"


@pytest.fixture
def fresh_url(dialect: str, sqlite_url: str, request: pytest.FixtureRequest) -> str:
    """The URL of a database that has no tables yet."""
    if dialect == "sqlite":
        return sqlite_url
    url: str = request.getfixturevalue("without_tables")
    request.getfixturevalue("server").clean(url, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    return url


@pytest.fixture
def url(dialect: str, sqlite_url: str, request: pytest.FixtureRequest) -> str:
    """The URL of a database without studies, the same one throughout a test."""
    if dialect == "sqlite":
        file = Path(sqlite_url.removeprefix("sqlite:///"))
        file.parent.mkdir()
        shutil.copy(request.getfixturevalue("file_with_tables"), file)
        return sqlite_url
    url: str = request.getfixturevalue("with_tables")
    tables = ", ".join(name for name in metadata.tables if name != "identity")
    request.getfixturevalue("server").clean(url, f"TRUNCATE {tables} RESTART IDENTITY")
    return url


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store.open(url) as opened:
        yield opened


@pytest.fixture
def study(store: Store) -> StudyRow:
    return store.create_study(make_spec())

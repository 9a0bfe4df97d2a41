"""Thousands of rows at once, handed to the driver as they are: what the epochs of many trials come to.

SQLAlchemy looks at each value of each row on its way; for so many rows of plain values that is most of the work.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

Row = tuple[Any, ...]
VARIABLES = 900  # in one statement of SQLite, whose older builds take 999


class Bulk:
    """Inserts rows into a table, each a tuple in the order of its columns, the primary key first."""

    def __init__(self, dialect: str, table: Table) -> None:
        self._postgresql = dialect == "postgresql"
        spoken: Any = postgresql.psycopg.dialect() if self._postgresql else sqlite.dialect()  # type: ignore[no-untyped-call]
        self._types = [column.type.compile(spoken) for column in table.columns]
        self._changes = [column.type.dialect_impl(spoken).bind_processor(spoken) for column in table.columns]
        self._key = ", ".join(column.name for column in table.primary_key)
        self._into = f"{table.name} ({', '.join(column.name for column in table.columns)})"

    def insert(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Insert rows none of which is there yet."""
        if self._postgresql and rows:
            self._copy(connection, self._changed(rows))
        elif rows:
            for statement, values in self._chunks(rows):
                connection.exec_driver_sql(statement, values)

    def insert_new(self, connection: Connection, rows: Sequence[Row]) -> set[Row]:
        """Insert rows whose key is not there yet; returns their keys."""
        told = f" ON CONFLICT DO NOTHING RETURNING {self._key}"
        found: set[Row] = set()
        if not rows:
            return found
        for statement, values in self._arrays(rows) if self._postgresql else self._chunks(rows):
            found.update(map(tuple, connection.exec_driver_sql(statement + told, values)))
        return found

    def _changed(self, rows: Sequence[Row]) -> Iterator[Row]:
        """The rows as the driver takes them."""
        columns = zip(zip(*rows, strict=True), self._changes, strict=True)
        return zip(*(map(change, column) if change else column for column, change in columns), strict=True)

    def _chunks(self, rows: Sequence[Row]) -> Iterator[tuple[str, Row]]:
        """Statements of as many rows as SQLite takes in one, and their values."""
        size = VARIABLES // len(self._types)
        row = f"({', '.join('?' for _ in self._types)})"
        changed = self._changed(rows)
        while chunk := list(itertools.islice(changed, size)):
            values = ", ".join(itertools.repeat(row, len(chunk)))
            yield f"INSERT INTO {self._into} VALUES {values}", tuple(itertools.chain.from_iterable(chunk))

    def _arrays(self, rows: Sequence[Row]) -> Iterator[tuple[str, tuple[list[Any], ...]]]:
        """One statement of PostgreSQL, its values an array for each column."""
        arrays = ", ".join(f"%s::{kind}[]" for kind in self._types)
        columns = tuple(map(list, zip(*self._changed(rows), strict=True)))
        yield f"INSERT INTO {self._into} SELECT * FROM unnest({arrays})", columns

    def _copy(self, connection: Connection, rows: Iterator[Row]) -> None:
        """COPY, several times as fast as INSERT. SQLAlchemy knows it not, so that its errors are made here."""
        import psycopg  # here, for SQLite needs none of it

        driver: Any = connection.connection.driver_connection
        statement = f"COPY {self._into} FROM STDIN"
        try:
            with driver.cursor() as cursor, cursor.copy(statement) as copy:
                for row in rows:
                    copy.write_row(row)
        except psycopg.Error as error:
            if driver.closed:
                connection.invalidate(error)
            raise DBAPIError.instance(statement, None, error, psycopg.Error, dialect=connection.dialect) from error


class Reach:
    """Notes how far attempts have come; each row is study, trial and number of an attempt, its first and last epoch."""

    def __init__(self, dialect: str) -> None:
        self._in_columns = dialect == "postgresql"

    def update(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Set the last epoch of each, and the first where none is known."""
        if not rows:
            return
        if self._in_columns:
            connection.exec_driver_sql(_REACH_ARRAYS, tuple(map(list, zip(*rows, strict=True))))
        else:
            own = [(first, last, *key) for *key, first, last in rows]
            connection.exec_driver_sql(_REACH, own)


_REACH = """
UPDATE attempts SET first_epoch = COALESCE(first_epoch, ?), last_epoch = ?
WHERE study_id = ? AND trial = ? AND number = ?
"""
_REACH_ARRAYS = """
UPDATE attempts SET first_epoch = COALESCE(first_epoch, told.first), last_epoch = told.last
FROM unnest(%s::int[], %s::int[], %s::int[], %s::int[], %s::int[]) AS told (study_id, trial, number, first, last)
WHERE (attempts.study_id, attempts.trial, attempts.number) = (told.study_id, told.trial, told.number)
"""

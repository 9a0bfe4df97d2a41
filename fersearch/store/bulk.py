"""Bulk inserts of many trials and epochs, passed straight to the driver.

SQLAlchemy would process each value of each row, which for so many rows of plain values is most of the work.
"""

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Dialect, Table
from sqlalchemy.exc import DBAPIError

Row = tuple[Any, ...]
VARIABLES = 900  # variables in one statement of SQLite, whose older builds take 999


class Bulk:
    """Inserts into a table, each row a tuple in the order of its columns, the primary key first."""

    def __init__(self, dialect: Dialect, table: Table) -> None:
        self._postgresql = dialect.name == "postgresql"
        self._changes = [column.type.dialect_impl(dialect).bind_processor(dialect) for column in table.columns]
        self._plain = not any(self._changes)
        self._key = ", ".join(column.name for column in table.primary_key)
        self._names = [column.name for column in table.columns]
        typed = ", ".join(f"{column.name} {column.type.compile(dialect)}" for column in table.columns)
        self._recordset_clause = f"json_to_recordset(%s::json) AS new_rows ({typed})"
        self._into = f"{table.name} ({', '.join(self._names)})"

    def insert(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Insert rows whose keys must all be new."""
        if self._postgresql and rows:
            self._copy(connection, self._changed(rows))
        elif rows:
            for statement, values in self._chunks(rows):
                connection.exec_driver_sql(statement, values)

    def insert_new(self, connection: Connection, rows: Sequence[Row]) -> set[Row]:
        """Insert the rows whose keys are new; return those keys."""
        clause = f" ON CONFLICT DO NOTHING RETURNING {self._key}"
        keys: set[Row] = set()
        if not rows:
            return keys
        for statement, values in self._statements(rows):
            keys.update(map(tuple, connection.exec_driver_sql(statement + clause, values)))
        return keys

    def upsert(self, connection: Connection, rows: Sequence[Mapping[str, Any]], changes: Sequence[str]) -> None:
        """Insert rows, given as mappings of columns; where the key exists, update some columns."""
        if not rows:
            return
        clause = ", ".join(f"{name} = excluded.{name}" for name in changes)
        clause = f" ON CONFLICT ({self._key}) DO UPDATE SET {clause}"
        ordered = list(map(itemgetter(*self._names), rows))
        for statement, values in self._statements(ordered):
            connection.exec_driver_sql(statement + clause, values)

    def _changed(self, rows: Sequence[Row]) -> Iterator[Row]:
        """Yield the rows converted for the driver."""
        if self._plain:
            return iter(rows)
        columns = zip(zip(*rows, strict=True), self._changes, strict=True)
        return zip(*(map(change, column) if change else column for column, change in columns), strict=True)

    def _statements(self, rows: Sequence[Row]) -> Iterator[tuple[str, Row]]:
        """Yield statements that insert the rows, and their values."""
        return iter((self._recordset(rows),)) if self._postgresql else self._chunks(rows)

    def _chunks(self, rows: Sequence[Row]) -> Iterator[tuple[str, Row]]:
        """Yield statements of as many rows as SQLite accepts in one, and their values."""
        size = VARIABLES // len(self._names)
        row = f"({', '.join('?' for _ in self._names)})"
        changed = self._changed(rows)
        while chunk := list(itertools.islice(changed, size)):
            values = ", ".join(itertools.repeat(row, len(chunk)))
            yield f"INSERT INTO {self._into} VALUES {values}", tuple(itertools.chain.from_iterable(chunk))

    def _recordset(self, rows: Sequence[Row]) -> tuple[str, Row]:
        """Return one PostgreSQL statement with its rows as one JSON text, many times faster than arrays."""
        return f"INSERT INTO {self._into} SELECT * FROM {self._recordset_clause}", (
            _json(self._names, self._changed(rows)),
        )

    def _copy(self, connection: Connection, rows: Iterator[Row]) -> None:
        """Insert by COPY, several times as fast as INSERT; its errors are converted here, since SQLAlchemy lacks it."""
        import psycopg  # imported here, as SQLite does not need it

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


def _json(names: Sequence[str], rows: Iterable[Row]) -> str:
    return json.dumps([dict(zip(names, row, strict=True)) for row in rows], default=datetime.isoformat)


class Reach:
    """Updates of the epoch range of attempts; each row is study, trial and attempt number, first and last epoch."""

    def __init__(self, dialect: Dialect) -> None:
        self._is_postgresql = dialect.name == "postgresql"

    def update(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Set the last epoch of each attempt, and the first where it is not set yet."""
        if not rows:
            return
        if self._is_postgresql:
            names = ("study_id", "trial", "number", "first", "last")
            connection.exec_driver_sql(_REACH_POSTGRESQL, (_json(names, rows),))
        else:
            own = [(first, last, *key) for *key, first, last in rows]
            connection.exec_driver_sql(_REACH, own)


_REACH = """
UPDATE attempts SET first_epoch = COALESCE(first_epoch, ?), last_epoch = ?
WHERE study_id = ? AND trial = ? AND number = ?
"""
_REACH_POSTGRESQL = """
UPDATE attempts SET first_epoch = COALESCE(first_epoch, reached.first), last_epoch = reached.last
FROM json_to_recordset(%s::json) AS reached (study_id int, trial int, number int, first int, last int)
WHERE (attempts.study_id, attempts.trial, attempts.number) = (reached.study_id, reached.trial, reached.number)
"""

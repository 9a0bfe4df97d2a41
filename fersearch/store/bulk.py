"""Thousands of rows in one statement, handed to the driver as they are: what the epochs of many trials come to.

SQLAlchemy looks at each value of each row on its way; for so many rows of plain values that is most of the work.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import psycopg

Row = tuple[Any, ...]


class Bulk:
    """Inserts rows into a table, each a tuple in the order of its columns; a row whose key is there already stays."""

    def __init__(self, dialect: str, table: Table) -> None:
        self._in_columns = dialect == "postgresql"
        spoken: Any = psycopg.dialect() if self._in_columns else sqlite.dialect()  # type: ignore[no-untyped-call]
        types = (column.type.dialect_impl(spoken) for column in table.columns)
        self._changes = [each.bind_processor(spoken) for each in types]
        names = ", ".join(column.name for column in table.columns)
        self._statement = f"INSERT INTO {table.name} ({names}) {_source(table, spoken)} ON CONFLICT DO NOTHING"

    def insert(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Execute the statement: on SQLite for each row, on PostgreSQL once with an array for each column."""
        if not rows:
            return
        columns = zip(zip(*rows, strict=True), self._changes, strict=True)
        changed = [list(map(change, column)) if change else list(column) for column, change in columns]
        arguments: Any = tuple(changed) if self._in_columns else list(zip(*changed, strict=True))
        connection.exec_driver_sql(self._statement, arguments)


def _source(table: Table, spoken: Any) -> str:
    if spoken.name == "sqlite":
        return f"VALUES ({', '.join('?' for _ in table.columns)})"
    arrays = (f"%s::{column.type.compile(spoken)}[]" for column in table.columns)
    return f"SELECT * FROM unnest({', '.join(arrays)})"

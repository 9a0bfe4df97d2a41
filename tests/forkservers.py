"""Fork servers that outlive the study they were started for, so that torch is loaded once and not at every run.

Only for tests in which a study is run to look at what comes of it: those of `tests/engines` start their own, as users
do, and so do the drivers of `tests/faults` (`tests/faults/preloaded.py`).
"""

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from fersearch.engines.processes import Pool

ROOT = Path(__file__).parents[1]
LEAVING = 5.0  # seconds


@dataclass
class Idle:
    """A server that waits for orders: its process, the driver's end of its socket, its environment."""

    server: "subprocess.Popen[bytes]"
    control: socket.socket
    environment: Mapping[str, str]

    def usable(self) -> bool:
        """Whether it lives and has no variable that is gone meanwhile; what was added or changed is told in orders."""
        return self.server.poll() is None and self.environment.keys() <= os.environ.keys()

    def end(self) -> None:
        """Let it leave."""
        self.control.close()
        self.server.wait(timeout=30)


class ForkServers:
    """Keeps the last server that a study let go, for the next study that loads the same modules."""

    def __init__(self) -> None:
        self._idle: dict[tuple[str, ...], Idle] = {}
        self._sharing = False
        self._common = {name: value for name, value in os.environ.items() if not name.startswith("FERSEARCH_")}

    @contextlib.contextmanager
    def shared(self) -> Iterator[None]:
        """Let pools take the server that is kept, and leave theirs, as long as none of its children lives."""
        if self._sharing:
            yield
            return
        start, close, fork = Pool._start_server, Pool.close, Pool._fork

        def start_server(pool: Pool) -> None:
            kept = self._idle.pop(tuple(pool._preload), None)
            if kept is not None and kept.usable():
                close(pool)
                pool._server, pool._control = kept.server, kept.control
                return
            with contextlib.chdir(ROOT), _environment(self._common):
                start(pool)
            assert pool._server is not None

        def close_pool(pool: Pool) -> None:
            server, control = pool._server, pool._control
            if server is not None and control is not None and _without_children(server):
                pool._server = pool._control = None
                self._keep(tuple(pool._preload), Idle(server, control, self._common))
            close(pool)

        def order(pool: Pool, theirs: socket.socket, log: Path, env: Mapping[str, str]) -> None:
            changed = {name: value for name, value in os.environ.items() if self._common.get(name) != value}
            fork(pool, theirs, log, {**changed, **env})

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(self, "_sharing", True)
            patch.setattr(Pool, "_start_server", start_server)
            patch.setattr(Pool, "close", close_pool)
            patch.setattr(Pool, "_fork", order)
            yield

    def end(self) -> None:
        """Let every server that is kept leave."""
        for idle in self._idle.values():
            idle.end()
        self._idle.clear()

    def _keep(self, modules: tuple[str, ...], idle: Idle) -> None:
        self.end()
        self._idle[modules] = idle


@contextlib.contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Let these be the only variables of this process."""
    before = dict(os.environ)
    try:
        os.environ.clear()
        os.environ.update(variables)
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _without_children(server: "subprocess.Popen[bytes]") -> bool:
    """Whether a server lives and no trial does; one that has said its last word has a moment to leave."""
    try:
        leaving = psutil.wait_procs(psutil.Process(server.pid).children(), timeout=LEAVING)[1]
    except psutil.NoSuchProcess:
        return False
    return not leaving

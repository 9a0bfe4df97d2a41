"""Fork servers that are forked instead of started, so that torch is loaded once and not at every run of a study.

Only for tests in which a study is run to look at what comes of it: those of `tests/engines` start their own, as users
do. Drivers that are forked (`tests/preloaded.py`) have one of their own.
"""

import contextlib
import json
import os
import socket
from collections.abc import Iterator

import pytest

from fersearch.engines.processes import Pool
from tests.preloaded import Preloaded


class ForkServers:
    """Gives pools of this process a fork server with the variables and the folder that this process has."""

    def __init__(self, preloaded: Preloaded) -> None:
        self._preloaded = preloaded

    @contextlib.contextmanager
    def shared(self) -> Iterator[None]:
        """Let the fork server of every pool be forked."""

        def start_server(pool: Pool) -> None:
            pool.close()
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                server = self._preloaded.start_fork_server(theirs, os.environ)
            pool._server, pool._control = server, ours  # type: ignore[assignment]
            ours.send(json.dumps({"preload": pool._preload}).encode())

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Pool, "_start_server", start_server)
            yield

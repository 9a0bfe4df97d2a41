"""A child process kept ready, so that a request that needs one does not wait for Python and its imports."""

import asyncio
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress

PAUSE_SECONDS = 10.0
"""From the start, or from when a child was taken, until the next is started: its imports take CPU from trials."""

Env = Mapping[str, str]


class Spare:
    """At most one child that waits for its request; `start` starts one with an environment."""

    def __init__(self, start: Callable[[Env], Awaitable[Process]]) -> None:
        self._start = start
        self._child: Process | None = None
        self._env: Env = {}
        self._taken: asyncio.Event | None = None

    @asynccontextmanager
    async def kept(self, env: Env) -> AsyncIterator[None]:
        """Keep a child with this environment ready while the block runs; end it afterwards."""
        self._taken = asyncio.Event()
        keeping = asyncio.create_task(self._keep(env, self._taken))
        try:
            yield
        finally:
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping
            if child := self.take(env):
                child.kill()
                await child.communicate()

    def take(self, env: Env) -> Process | None:
        """Return the child if it lives and has this environment; it is the caller's from now on."""
        child = self._child
        if child is None or self._taken is None or env != self._env:
            return None
        self._child = None
        self._taken.set()
        return child if child.returncode is None else None

    async def _keep(self, env: Env, taken: asyncio.Event) -> None:
        while True:
            await asyncio.sleep(PAUSE_SECONDS)
            taken.clear()
            starting = asyncio.ensure_future(self._start(env))
            with suppress(OSError):
                try:
                    self._child, self._env = await asyncio.shield(starting), env
                except asyncio.CancelledError:  # a process that is being started must be known to end it
                    self._child, self._env = await starting, env
                    raise
                await taken.wait()

"""Children of the service that are forked from a process that has loaded what they need."""

import asyncio
import os
from collections.abc import Mapping

from tests.preloaded import Forked, Preloaded

CODE = "from fersearch.service.job import main; main()"


class Child:
    """A process with what `fersearch.service.jobs` needs of `asyncio.subprocess.Process`."""

    def __init__(
        self, forked: Forked, stdin: asyncio.StreamWriter, stdout: asyncio.StreamReader, stderr: asyncio.StreamReader
    ) -> None:
        self._forked = forked
        self.stdin, self.stdout, self.stderr = stdin, stdout, stderr
        self.send_signal, self.kill = forked.send_signal, forked.kill

    @property
    def returncode(self) -> int | None:
        return self._forked.poll()

    async def wait(self) -> int:
        return await asyncio.to_thread(self._forked.wait)

    async def communicate(self, content: bytes = b"") -> tuple[bytes, bytes]:
        """Send it all it is to read; return what it writes until its end."""
        self.stdin.write(content)
        self.stdin.close()
        out, err = await asyncio.gather(self.stdout.read(), self.stderr.read())
        await self.wait()
        return out, err


async def start(preloaded: Preloaded, env: Mapping[str, str], *_: str) -> Child:
    """Start what `jobs` starts."""
    (input, stdin), (stdout, out), (stderr, err) = os.pipe(), os.pipe(), os.pipe()
    try:
        forked = preloaded.start_child(CODE, env, out, err, input)
    finally:
        for end in (out, err, input):
            os.close(end)
    return Child(forked, await _writer(stdin), await _reader(stdout), await _reader(stderr))


async def _reader(end: int) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(end, "rb", 0)
    )
    return reader


async def _writer(end: int) -> asyncio.StreamWriter:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.connect_write_pipe(
        lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader()), os.fdopen(end, "wb", 0)
    )
    return asyncio.StreamWriter(transport, protocol, None, loop)

"""The board of the driver's messages, and other code of Ray's workers that must not load Ray Tune (some seconds)."""

import asyncio
import contextlib
import io
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from fersearch.errors import FersearchError
from fersearch.remote import Remote, is_url

Message = dict[str, Any]


class Board:
    """Messages from the driver to trials, by key, in the order sent; one actor beside the driver."""

    def __init__(self) -> None:
        self._queues: dict[str, asyncio.Queue[Message | None]] = {}
        self._early: dict[str, dict[int, Message]] = {}
        self._next: dict[str, int] = {}
        self._packed: dict[str, Any] = {}

    async def send(self, key: str, number: int, message: Message) -> None:
        """Send a trial the message with this number, after those before it: Ray may call async actors out of order."""
        queue, early = self._queues.setdefault(key, asyncio.Queue()), self._early.setdefault(key, {})
        early[number] = message
        following = self._next.get(key, 0)
        while following in early:
            queue.put_nowait(early.pop(following))
            following += 1
        self._next[key] = following

    async def receive(self, key: str) -> Message | None:
        """Wait for the next message to a trial; None once no more will come."""
        queue = self._queues.get(key)
        return await queue.get() if queue else None

    async def close(self, key: str) -> None:
        """Close the messages to a trial."""
        self._early.pop(key, None)
        self._next.pop(key, None)
        if queue := self._queues.pop(key, None):
            queue.put_nowait(None)

    async def packed(self, folder: str) -> list[Any]:
        """Return the content of a folder on the driver's node as a Ray object, in a list to avoid a copy here."""
        import ray

        if folder not in self._packed:
            self._packed[folder] = asyncio.ensure_future(asyncio.to_thread(lambda: ray.put(pack(Path(folder)))))
        return [await self._packed[folder]]


def reads(path: str, text: str) -> bool:
    """Return whether this node finds a file with this text at a path or URL."""
    folder, _, name = path.rpartition("/")
    with tempfile.TemporaryDirectory() as own, contextlib.suppress(OSError, FersearchError):
        copy = Path(own, name) if is_url(path) else Path(path)
        return (not is_url(path) or Remote(folder).get(name, copy)) and copy.read_text() == text
    return False


def pack(folder: Path) -> bytes:
    """Return the content of a folder, as a zip archive without compression."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", strict_timestamps=False) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    return buffer.getvalue()

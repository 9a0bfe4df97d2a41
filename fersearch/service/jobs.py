"""Run verbs that need torch, optuna or much memory in child processes: the service stays small and responsive.

The children are `fersearch.service.job`; one is kept ready.
"""

import asyncio
import json
import os
import signal
import sys
import tempfile
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from fastapi.responses import StreamingResponse

from fersearch.service.job import READY
from fersearch.service.problems import ProblemError
from fersearch.service.spare import Spare

PIECE = 2**16
ENDING_SECONDS = 5.0
AT_ONCE = asyncio.Semaphore(2)
"""Limit of concurrent children, each of which may load torch; further requests wait."""

CHILD = (sys.executable, "-m", "fersearch.service.job")


async def run(verb: str, storage: str | None, **arguments: Any) -> Any:
    """Run a verb in a child process, once there is room for one, and return its JSON result.

    Raises:
        ProblemError: the verb refused or failed.
    """
    request = json.dumps({"verb": verb, "arguments": arguments})
    async with AT_ONCE:
        return await _answered(verb, request, request_env(storage))


def request_env(storage: str | None) -> Mapping[str, str]:
    """Return the environment of a child that works on a database."""
    return {**os.environ, **({"FERSEARCH_STORAGE": storage} if storage else {})}


def kept_ready(storage: str | None) -> AbstractAsyncContextManager[None]:
    """Return a block during which a child that works on a database is kept ready."""
    return _SPARE.kept(request_env(storage))


async def reported(verb: str, storage: str | None, **arguments: Any) -> AsyncIterator[dict[str, Any]]:
    """Run a verb in a child process, without the limit of `run`, and yield its reports and last its `result`.

    If the generator is closed, the child is interrupted, removes its temporary files and ends first.

    Raises:
        ProblemError: the verb refused or failed.
    """
    request = json.dumps({"verb": verb, "arguments": arguments})
    child = await _started(request_env(storage))
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stderr is not None
    noise = asyncio.create_task(child.stderr.read())
    line: dict[str, Any] = {}
    try:
        child.stdin.write(request.encode())
        child.stdin.close()
        async for text in lines(child.stdout):
            line = json.loads(text)
            if "problem" not in line:
                yield line
        await child.wait()
        if "result" not in line:
            raise _problem(line.get("problem"), verb, child.returncode, await noise)
    finally:
        noise.cancel()
        await _ended(child)


async def lines(stream: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Yield the complete lines of a stream, however long: the reader's own iterator fails above its limit."""
    parts: list[bytes] = []
    while piece := await stream.read(PIECE):
        first, *others = piece.split(b"\n")
        parts.append(first)
        for other in others:
            yield b"".join(parts)
            parts = [other]


async def _ended(child: Process) -> None:
    """Interrupt a child that still runs; kill it after `ENDING_SECONDS`."""
    if child.returncode is not None:
        return
    child.send_signal(signal.SIGINT)
    try:
        async with asyncio.timeout(ENDING_SECONDS):
            await child.wait()
    except TimeoutError:
        pass
    finally:
        if child.returncode is None:
            child.kill()


async def file(verb: str, storage: str | None, media_type: str, name: str, **arguments: Any) -> StreamingResponse:
    """Run a verb in a child process that writes a temporary file, and return a response that sends the file.

    Raises:
        ProblemError: the verb refused or failed.
    """
    with tempfile.TemporaryDirectory(prefix="fersearch-") as folder:
        path = Path(folder, "file")
        await run(verb, storage, **arguments, file=str(path))
        size, content = path.stat().st_size, path.open("rb")  # an open file stays readable after its folder is removed
    headers = {"Content-Length": str(size), "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
    return StreamingResponse(_pieces(content), media_type=media_type, headers=headers)


def _pieces(content: BinaryIO) -> Iterator[bytes]:
    with content:
        while piece := content.read(PIECE):
            yield piece


async def _answered(verb: str, request: str, env: Mapping[str, str]) -> Any:
    """Return the result of a child; it is killed if the client disconnects."""
    child = _SPARE.take(env) or await _started(env)
    try:
        out, err = await child.communicate(request.encode())
    finally:
        if child.returncode is None:
            child.kill()
    try:
        answer = json.loads(out.splitlines()[-1])
    except (ValueError, IndexError):
        raise _problem(None, verb, child.returncode, err) from None
    if problem := answer.get("problem"):
        raise _problem(problem, verb, child.returncode, err)
    return answer["result"]


async def _started(env: Mapping[str, str], *arguments: str) -> Process:
    return await asyncio.create_subprocess_exec(
        *CHILD,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=env,
        start_new_session=True,
    )


_SPARE = Spare(lambda env: _started(env, READY))


def _problem(failure: Mapping[str, Any] | None, verb: str, code: int | None, noise: bytes) -> ProblemError:
    """Return the problem that a child reported; without one, its exit code and the last line of its errors."""
    if failure:
        return ProblemError(failure["status"], failure["detail"], failure["hint"], tuple(failure["mistakes"]))
    lines = noise.decode(errors="replace").strip().splitlines()
    return ProblemError(500, f"'{verb}' ended with exit code {code}", "\n".join(lines[-1:]))

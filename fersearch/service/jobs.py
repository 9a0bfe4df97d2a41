"""Run verbs that need torch, optuna or much memory in child processes: the service stays small and responsive.

`python -m fersearch.service.jobs` reads `{"verb", "arguments"}` on standard input and writes `{"result"}` or
`{"problem"}` on standard output.
"""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from fastapi.responses import StreamingResponse

from fersearch.service.problems import ProblemError
from fersearch.service.verbs import VERBS

PIECE = 2**16
AT_ONCE = asyncio.Semaphore(2)
"""Limit of concurrent children, each of which may load torch; further requests wait."""


async def run(verb: str, storage: str | None, **arguments: Any) -> Any:
    """Run a verb in a child process, once there is room for one, and return its JSON result.

    Raises:
        ProblemError: the verb refused or failed.
    """
    request = json.dumps({"verb": verb, "arguments": arguments})
    env = {**os.environ, **({"FERSEARCH_STORAGE": storage} if storage else {})}
    async with AT_ONCE:
        return await _answered(verb, request, env)


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
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", __name__),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=env,
        start_new_session=True,
    )
    try:
        out, err = await child.communicate(request.encode())
    finally:
        if child.returncode is None:
            child.kill()
    try:
        answer = json.loads(out.splitlines()[-1])
    except (ValueError, IndexError):
        lines = err.decode(errors="replace").strip().splitlines()
        raise ProblemError(500, f"'{verb}' ended with exit code {child.returncode}", "\n".join(lines[-1:])) from None
    if problem := answer.get("problem"):
        raise ProblemError(problem["status"], problem["detail"], problem["hint"], tuple(problem["mistakes"]))
    return answer["result"]


def main() -> None:
    """Run the verb named on standard input."""
    from fersearch.errors import FersearchError, StudyFileError
    from fersearch.service.problems import NO_ROOM, is_disk_full, status_of

    request = json.load(sys.stdin)
    out = os.dup(1)
    os.dup2(2, 1)  # output of libraries must not mix with the result
    try:
        answer: dict[str, Any] = {"result": VERBS[request["verb"]](**request["arguments"])}
    except FersearchError as error:
        mistakes = list(error.mistakes) if isinstance(error, StudyFileError) else []
        problem = {"status": status_of(error), "detail": error.message, "hint": error.hint, "mistakes": mistakes}
        answer = {"problem": problem}
    except OSError as error:
        if not is_disk_full(error):
            raise
        status, detail, hint = NO_ROOM
        answer = {"problem": {"status": status, "detail": detail, "hint": hint, "mistakes": []}}
    with os.fdopen(out, "w") as file:
        file.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()

"""Verbs that need torch, optuna or much memory, each run in a child process: the service stays small and answers.

`python -m fersearch.service.jobs` reads `{"verb", "arguments"}` on standard input and writes `{"result"}` or
`{"problem"}` on standard output.
"""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fersearch.service.problems import ProblemError

Verb = Callable[..., Any]
AT_ONCE = asyncio.Semaphore(2)
"""Children at once: each may load torch, and another request waits."""


async def run(verb: str, storage: str | None, **arguments: Any) -> Any:
    """Run a verb in a child process and return its JSON result, as soon as there is room for one.

    Raises:
        ProblemError: the verb refused or failed.
    """
    request = json.dumps({"verb": verb, "arguments": arguments})
    env = {**os.environ, **({"FERSEARCH_STORAGE": storage} if storage else {})}
    async with AT_ONCE:
        return await _answered(verb, request, env)


async def _answered(verb: str, request: str, env: Mapping[str, str]) -> Any:
    """Return the result of a child; one whose caller leaves is ended."""
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


def create(body: Mapping[str, Any], owner: str) -> list[str]:
    """Create the studies that a study file's data describe, and return their names."""
    from fersearch import api

    return [spec.name for spec in api.create_from_data(body, owner=owner)]


def export(study: str, trial: int | None, folder: str) -> dict[str, Any]:
    """Pull a trial's checkpoint into a folder and export it there."""
    from fersearch import api

    pulled = api.pull_checkpoint(study, trial=trial, out=Path(folder), force=True, format="onnx")
    return {"path": str(pulled.path), "trial": pulled.trial}


def begin_finish(study: str, **retraining: Any) -> dict[str, Any]:
    """Begin the finish of a study: which study trains its finalists, and whether that has ended."""
    from fersearch.api.finishing import begin_finish as begin
    from fersearch.engines.finishing import Retraining

    begun = begin(study, Retraining(**retraining))
    return {"trained": begun.trained, "ended": begun.ended}


def finish(study: str, **retraining: Any) -> Any:
    """Open the test split for the pick of a study whose finalists have been trained."""
    from fersearch import api
    from fersearch.api import records

    return records.plain(records.Finish.of(api.finish_study(study, **retraining)))


def extend(study: str, change: dict[str, Any]) -> None:
    """Change a study that does not run."""
    from fersearch import api

    api.extend_study(study, settings=change.pop("space"), **change)


def importance(study: str) -> Any:
    """Return how much each parameter decides about each objective."""
    from fersearch import api

    return api.importance(study)


def report(study: str) -> str:
    """Return the study's report, one HTML page."""
    from fersearch import api

    with tempfile.TemporaryDirectory() as folder:
        written = api.write_report(study, Path(folder) / "report")
        return written.page.read_text(encoding="utf-8")


def show_dataset(name: str) -> Any:
    """Return what a dataset holds."""
    from fersearch import api
    from fersearch.api import records

    return records.plain(records.DatasetDetail.of(api.show_dataset(name)))


def show_plugin(name: str) -> Any:
    """Return what a component brings."""
    from fersearch import api
    from fersearch.api import records

    return records.plain(records.PluginDetail.of(api.show_plugin(name)))


VERBS: dict[str, Verb] = {
    verb.__name__: verb
    for verb in (begin_finish, create, export, extend, finish, importance, report, show_dataset, show_plugin)
}


def main() -> None:
    """Run the verb that standard input names."""
    from fersearch.errors import FersearchError, StudyFileError
    from fersearch.service.problems import NO_ROOM, is_disk_full, status_of

    request = json.load(sys.stdin)
    out = os.dup(1)
    os.dup2(2, 1)  # what libraries print is no part of the answer
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

"""Run studies from the command line: here with progress, or in the queue of a service."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fersearch.cli import errors
from fersearch.errors import FersearchError, UsageError
from fersearch.escaping import masked_url
from fersearch.home import pulled_folder

if TYPE_CHECKING:
    from fersearch.api.results import Front, StudyView
    from fersearch.run_options import RunOptions


def require_model_and_dataset(keywords: dict[str, Any]) -> None:
    """Raise UsageError unless the flags name a model and a dataset."""
    missing = [f"--{name}" for name in ("model", "dataset") if name not in keywords]
    if missing:
        hint = "name them: `fersearch plugin list`; or give a study file. To try it: --model cnn --dataset faces"
        raise UsageError(f"{' and '.join(missing)} missing", hint)


def queue_each(names: Sequence[str], options: "RunOptions", as_json: bool) -> int:
    """Send studies to the queue of a service, print their places there, and return the exit code."""
    from fersearch import api

    views = [api.run_study(name, options) for name in names]
    if as_json:
        from fersearch.api import records
        from fersearch.cli.as_json import dump

        details = [records.StudyDetail.of_view(view) for view in views]
        dump(details if len(names) > 1 else details[0])
        return 0
    for view in views:
        errors.echo(f"study '{view.name}' is {view.state.value}, {_place(api.place_in_queue(view.name))}")
    return 0


def _place(place: int) -> str:
    return f"at place {place} of the queue" if place else "no longer in the queue"


def tell_created(names: Sequence[str], storage: str | None, as_json: bool) -> int:
    """Print the names of created studies and the commands that run them; return the exit code."""
    from fersearch import api
    from fersearch.cli import render

    if as_json:
        from fersearch.api import records
        from fersearch.cli.as_json import dump

        details = [records.StudyDetail.of_view(api.show_study(name, storage)) for name in names]
        dump(details if len(names) > 1 else details[0])
        return 0
    where = ["--storage", masked_url(storage)] if storage else []
    for name in names:
        render.show(f"created study {name}", render.commands([["fersearch", "study", "run", name, *where]]))
    return 0


def run_each(names: Sequence[str], options: "RunOptions", verbose: bool, *, storage: str | None, as_json: bool) -> int:
    """Run studies one after another; one that fails is reported, the others still run, and the exit code is 1."""
    failures, runs = [], []
    for name in names:
        try:
            runs.append(_run(name, options, verbose, storage=storage, as_json=as_json))
        except FersearchError as error:
            if len(names) == 1 or error.exit_code == errors.INTERRUPTED:
                raise
            errors.tell(error.message, error.hint)
            failures.append(name)
    if as_json:
        from fersearch.api import records
        from fersearch.cli.as_json import dump

        ended = [records.StudyRun.of_run(view, front) for view, front in runs]
        dump(ended if len(names) > 1 else ended[0])
    if failures:
        raise FersearchError(f"{len(failures)} of {len(names)} studies failed: {', '.join(failures)}")
    return 0


def _run(
    name: str, options: "RunOptions", verbose: bool, *, storage: str | None, as_json: bool
) -> tuple["StudyView", "Front"]:
    """Run a study with progress, print its front, and return both."""
    from fersearch import api
    from fersearch.cli import progress, render

    errors.notices()
    watcher = progress.watcher(render.console(stderr=as_json), options.timeout, verbose)
    view = api.run_study(name, options, observer=watcher, storage=storage)
    best = api.front(name, storage=storage)
    if not as_json and view.counts.get("complete"):
        render.show("", render.front(best), "", render.commands(next_commands(view, storage, options.artifacts, best)))
    if not view.counts.get("complete") and view.counts.get("failed"):
        raise FersearchError(f"every trial of study '{name}' failed", f"see why: fersearch trial show {name} 0")
    return view, best


def next_commands(view: Any, storage: str | None, artifacts: str | None, best: Any) -> list[list[str]]:
    """Return commands to type after a study; `artifacts` is the folder or URL of its checkpoints if a flag gave it."""
    name, trust = view.name, ["--trust-plugin"] if view.plugins else []
    where = ["--storage", masked_url(storage)] if storage else []
    lines = [["export", f"FERSEARCH_ARTIFACTS={artifacts}"]] if artifacts else []
    lines += [["fersearch", "study", "front", name, *where], ["fersearch", "trial", "list", name, *where]]
    if best.pulled is not None:
        folder = pulled_folder(name, best.pulled.number)
        lines.append(["fersearch", "checkpoint", "pull", name, *where])
        lines.append(["fersearch", "predict", str(folder), "FACE.png", *trust])
    return lines

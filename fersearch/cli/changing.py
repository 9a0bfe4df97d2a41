"""`fersearch study enqueue` and `extend`: change a study that exists."""

from typing import TYPE_CHECKING, Annotated

import typer

from fersearch.cli import errors
from fersearch.cli.flags import AsJson, Storage, StudyName, TrustStored, duration, pairs
from fersearch.formatting import plural, settings

if TYPE_CHECKING:
    from fersearch.api.results import EnqueuedView

Name = StudyName
Values = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="The value of a parameter; repeatable. The others are drawn."),
]


def enqueue(name: Name, set_: Values = None, storage: Storage = None, as_json: AsJson = False) -> None:
    """Add a configuration that a study tries next, also while it runs."""
    from fersearch import api

    view = api.enqueue_trial(name, pairs("--set", set_), storage)
    if as_json:
        from fersearch.api import records
        from fersearch.cli.as_json import dump

        dump(records.StudyEnqueue.of(view))
    else:
        errors.echo(_summary(view))


def extend(
    name: Name,
    trials: Annotated[int | None, typer.Option("--trials", metavar="N", help="The new total of trials.")] = None,
    timeout: Annotated[
        str | None, typer.Option("--timeout", metavar="DURATION", help="The new total running time: 90s, 55m or 2h.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=...", help="New search range of a parameter; repeatable."),
    ] = None,
    objectives: Annotated[
        list[str] | None,
        typer.Option(
            "--objective",
            metavar="METRIC[:max|min]",
            help="New metric to optimise; repeatable, the first ranks checkpoints.",
        ),
    ] = None,
    stop_when_flat: Annotated[
        int | None,
        typer.Option(
            "--stop-when-flat", metavar="N", help="End once the front has not grown for N complete trials; 0: never."
        ),
    ] = None,
    trust_plugin: TrustStored = False,  # noqa: ARG001
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Change a study that does not run, and keep its trials; what changed is recorded with it."""
    from fersearch import api
    from fersearch.cli import render

    before = len(api.study_spec(name, storage).changes)
    view = api.extend_study(
        name,
        trials=trials,
        timeout=duration("--timeout", timeout),
        settings=pairs("--set", set_),
        objectives=objectives or (),
        stop_when_flat=stop_when_flat,
        storage=storage,
    )
    if as_json:
        from fersearch.api import records
        from fersearch.cli.as_json import dump

        dump(records.StudyDetail.of_view(view))
        return
    render.show(*map(str, view.spec.changes[before:]), render.commands([["fersearch", "study", "run", name]]))


def _summary(view: "EnqueuedView") -> str:
    """Return a line with the enqueued configuration and when it will run."""
    when = "its driver adds it now" if view.running else f"continue with: fersearch study run {view.name}"
    if view.needed > view.trials:
        room = f"its budget of {plural(view.trials, 'trial')} does not cover it"
        when = f"{room}; raise it: fersearch study run {view.name} --trials {view.needed}"
    return f"study '{view.name}' tries {settings(view.given)} next; {when}"

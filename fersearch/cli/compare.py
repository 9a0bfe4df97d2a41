"""`fersearch study compare`: compare studies, or one study's trials by the values of a parameter."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fersearch.cli.flags import AsJson, Storage, TrustStored
from fersearch.errors import UsageError

if TYPE_CHECKING:
    from fersearch.api.records import Comparison, Sweep
    from fersearch.api.results import Grid, Line, Written

Names = Annotated[
    list[str], typer.Argument(metavar="STUDY...", help="Names of studies; 'NAME/*' means all that match.")
]


def compare(
    names: Names,
    metric: Annotated[
        list[str] | None, typer.Option("--metric", help="Metric to compare by; repeatable, the first ranks.")
    ] = None,
    by: Annotated[
        str, typer.Option("--by", metavar="trial|front", help="Each study's best trial, or all of its front.")
    ] = "trial",
    trial: Annotated[
        list[str] | None, typer.Option("--trial", metavar="STUDY=N", help="The trial that stands for a study.")
    ] = None,
    factor: Annotated[
        str | None, typer.Option("--factor", metavar="PARAMETER", help="Group one study's trials by a parameter.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="DIR", help="Also write a page, plots and tables.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the report in the folder.")] = False,
    trust_plugin: TrustStored = False,  # noqa: ARG001
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Compare studies: scores, time, memory, and paired tests over folds or repeats."""
    from fersearch import api
    from fersearch.api import records
    from fersearch.api.comparing import chosen_trials

    if force and out is None:
        raise UsageError("--force without -o", "give the folder to replace: -o DIR")
    if factor is not None:
        name = _only(names, by, trial)
        swept = api.sweep_study(name, factor, metrics=metric or (), out=out, force=force, storage=storage)
        if as_json:
            _dump(records.Sweep, swept.result, swept.written)
        else:
            _show(swept.shown(), swept.written)
        return
    done = api.compare_studies(
        names, metrics=metric or (), by=by, trials=chosen_trials(trial or ()), out=out, force=force, storage=storage
    )
    if as_json:
        _dump(records.Comparison, done.result, done.written)
    else:
        _show(done.shown(), done.written)


def _only(names: Sequence[str], by: str, trial: Sequence[str] | None) -> str:
    if len(names) != 1 or "*" in names[0]:
        raise UsageError(f"--factor compares within one study, and {', '.join(names)} may be several", "name one study")
    if by != "trial" or trial:
        raise UsageError("--factor takes every complete trial", "leave out --by and --trial")
    return names[0]


def _show(items: "Sequence[Grid | Line]", written: "Written | None") -> None:
    from fersearch.cli import compared, render

    render.show(*compared.drawn(items))
    if written:
        render.show("", f"wrote {written.page}, {len(written.plots)} plots and {len(written.tables)} tables")


def _dump(record: "type[Comparison | Sweep]", result: Any, written: "Written | None") -> None:
    from fersearch.cli.as_json import dump

    page = str(written.page) if written else None
    is_record = isinstance(result, record)  # a service sends the record itself
    dump(result.model_copy(update={"page": page, "shown": None}) if is_record else record.of(result, page))

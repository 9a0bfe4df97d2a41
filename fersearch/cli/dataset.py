"""`fersearch dataset`: list, show, verify, prepare."""

from typing import Annotated

import typer

from fersearch.cli import flags
from fersearch.cli.flags import AsJson, DatasetFlags, Plugins, Target

app = typer.Typer(help="Labelled faces: find, check and prepare them.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="DATASET", help="As `dataset list` names it.")]


@app.command("list")
def list_(plugin: Plugins = None, as_json: AsJson = False) -> None:
    """List the datasets and where they are."""
    from fersearch import api
    from fersearch.cli import records, render

    rows = api.list_datasets(tuple(plugin or ()))
    if as_json:
        records.dump(records.datasets(rows))
    else:
        render.show(render.datasets(rows))


@app.command()
@flags.flat
def show(
    name: Name, *, which: DatasetFlags, target: Target = None, plugin: Plugins = None, as_json: AsJson = False
) -> None:
    """Show a dataset's classes and counts, after filtering."""
    from fersearch import api
    from fersearch.cli import progress, records, render

    with progress.preparation(render.console(stderr=True)) as told:
        view = api.show_dataset(
            name, data=which.data, options=which.options(), target=target, progress=told, plugins=tuple(plugin or ())
        )
    if as_json:
        records.dump(records.dataset(view))
    else:
        render.show(render.dataset(view))


@app.command()
@flags.flat
def verify(name: Name, *, which: DatasetFlags, plugin: Plugins = None, as_json: AsJson = False) -> None:
    """Check a dataset: counts, duplicates, leakage, constant images, votes, subjects."""
    from fersearch import api
    from fersearch.cli import progress, records, render

    with progress.preparation(render.console(stderr=True)) as told:
        report = api.verify_dataset(
            name, data=which.data, options=which.options(), progress=told, plugins=tuple(plugin or ())
        )
    if as_json:
        records.dump(report.to_json())
    else:
        render.show(render.report(report))


@app.command()
@flags.flat
def prepare(name: Name, *, which: DatasetFlags, plugin: Plugins = None, as_json: AsJson = False) -> None:
    """Decode a dataset once; studies then map it."""
    from fersearch import api
    from fersearch.cli import progress, records, render

    with progress.preparation(render.console(stderr=True)) as told:
        folder = api.prepare_dataset(
            name, data=which.data, options=which.options(), progress=told, plugins=tuple(plugin or ())
        )
    if as_json:
        records.dump({"name": name, "path": str(folder)})
    else:
        render.show(f"{name} is prepared in {folder}")

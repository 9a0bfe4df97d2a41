"""`fersearch dataset`: list, show, verify, prepare, export, report."""

from pathlib import Path
from typing import Annotated

import typer

from fersearch.cli import errors
from fersearch.cli.command import Group, flat
from fersearch.cli.flags import AsJson, DatasetFlags, Plugins, Target

app = typer.Typer(cls=Group, help="Labelled faces: find, check and prepare them.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="DATASET", help="As `dataset list` names it.")]


@app.command("list")
def list_(plugin: Plugins = None, as_json: AsJson = False) -> None:
    """List the datasets and where they are."""
    from fersearch import api
    from fersearch.cli import render

    rows = api.list_datasets(tuple(plugin or ()))
    if as_json:
        from fersearch.api import records
        from fersearch.cli.as_json import dump

        dump([records.Dataset.of(row) for row in rows])
    else:
        render.show(render.datasets(rows))


@app.command()
@flat
def show(
    name: Name, *, which: DatasetFlags, target: Target = None, plugin: Plugins = None, as_json: AsJson = False
) -> None:
    """Show a dataset's classes and counts, after filtering."""
    from fersearch import api
    from fersearch.cli import progress, render

    with progress.preparation(render.console(stderr=True)) as shown:
        view = api.show_dataset(
            name, data=which.data, options=which.options(), target=target, progress=shown, plugins=tuple(plugin or ())
        )
    if as_json:
        from fersearch.api import records
        from fersearch.cli.as_json import dump

        dump(records.DatasetDetail.of(view))
    else:
        render.show(render.dataset(view))


@app.command()
@flat
def verify(name: Name, *, which: DatasetFlags, plugin: Plugins = None, as_json: AsJson = False) -> None:
    """Check a dataset: counts, duplicates (equal and near), leakage, constant images, votes, subjects."""
    from fersearch import api
    from fersearch.cli import progress, render

    with progress.preparation(render.console(stderr=True)) as shown:
        report = api.verify_dataset(
            name, data=which.data, options=which.options(), progress=shown, plugins=tuple(plugin or ())
        )
    if as_json:
        from fersearch.api import records
        from fersearch.cli.as_json import dump

        dump(records.DatasetCheck.of(report))
    else:
        render.show(render.report(report))


@app.command()
@flat
def prepare(name: Name, *, which: DatasetFlags, plugin: Plugins = None, as_json: AsJson = False) -> None:
    """Decode a dataset once; studies then map it."""
    from fersearch import api
    from fersearch.cli import progress, render

    with progress.preparation(render.console(stderr=True)) as shown:
        folder = api.prepare_dataset(
            name, data=which.data, options=which.options(), progress=shown, plugins=tuple(plugin or ())
        )
    if as_json:
        from fersearch.api import records
        from fersearch.cli.as_json import dump

        dump(records.PreparedDataset.of(name, folder))
    else:
        render.show(f"{name} is prepared in {folder}")


@app.command()
@flat
def export(
    name: Name,
    *,
    which: DatasetFlags,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", "--output", metavar="PATH", help="A folder for CSV and images, or a .csv file."),
    ],
    target: Target = None,
    limit: Annotated[
        int | None, typer.Option("--limit", help="Use only this many of train and valid, as a study does.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier export.")] = False,
    plugin: Plugins = None,
    as_json: AsJson = False,
) -> None:
    """Write what a study would see: a manifest CSV, and the images as <class>_<source>_<number>.png."""
    from fersearch import api
    from fersearch.cli import progress, render

    with progress.preparation(render.console(stderr=True)) as shown:
        exported = api.export_dataset(
            name,
            out,
            data=which.data,
            options=which.options(),
            target=target,
            limit=limit,
            force=force,
            progress=shown,
            plugins=tuple(plugin or ()),
        )
    if as_json:
        from fersearch.api import records
        from fersearch.cli.as_json import dump

        dump(records.ExportedDataset.of(name, exported))
    else:
        parts = ", ".join(f"{part} {n:,}" for part, n in exported.splits.items())
        render.show(f"{exported.n:,} images of {name} are listed in {exported.path}: {parts}")


@app.command()
@flat
def report(
    name: Name,
    *,
    which: DatasetFlags,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="The folder to write.")],
    target: Target = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the report in the folder.")] = False,
    plugin: Plugins = None,
) -> None:
    """Write a dataset's report: one HTML page with distributions, samples, intensities and augmentation."""
    from fersearch import api
    from fersearch.cli import progress, render

    with progress.preparation(render.console(stderr=True)) as shown:
        written = api.report_dataset(
            name,
            out,
            data=which.data,
            options=which.options(),
            target=target,
            force=force,
            progress=shown,
            plugins=tuple(plugin or ()),
        )
    errors.echo(f"wrote {written.page}, {len(written.plots)} plots and {len(written.tables)} tables")

"""`fersearch study report`: the page, plots and tables of a study."""

from pathlib import Path
from typing import Annotated

import typer

from fersearch.cli import errors
from fersearch.cli.flags import Storage, TrustStored

Name = Annotated[str, typer.Argument(metavar="STUDY", help="The study's name.")]


def report(
    name: Name,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="The folder to write.")],
    trials: Annotated[
        int, typer.Option("--trials", help="Draw the learning curves of so many of the best trials.")
    ] = 5,
    force: Annotated[bool, typer.Option("--force", help="Replace the report in the folder.")] = False,
    trust_plugin: TrustStored = False,  # noqa: ARG001
    storage: Storage = None,
) -> None:
    """Write a study's report: one HTML page, plots, and tables for a paper."""
    from fersearch import api

    written = api.write_report(name, out, trials=trials, force=force, storage=storage)
    errors.echo(f"wrote {written.page}, {len(written.plots)} plots and {len(written.tables)} tables")

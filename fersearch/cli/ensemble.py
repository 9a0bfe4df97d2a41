"""`fersearch ensemble`: combine several trained models into one."""

from pathlib import Path
from typing import Annotated

import typer

from fersearch.cli.flags import AsJson, Storage, TrustStored


def ensemble(
    studies: Annotated[list[str], typer.Argument(metavar="STUDY...", help="The studies to choose from.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder to create.")],
    method: Annotated[
        str, typer.Option("--method", help="How to combine members: mean, vote, weighted or stacking.")
    ] = "mean",
    size: Annotated[
        int, typer.Option("--size", metavar="N", help="Steps of the selection; a model chosen twice counts twice.")
    ] = 10,
    metric: Annotated[
        str | None, typer.Option("--metric", help="Metric to choose by on validation; default the first objective.")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option("--where", metavar="METRIC<=N", help="A bound for all members together; repeatable."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing folder.")] = False,
    trust_plugin: TrustStored = False,  # noqa: ARG001
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Choose an ensemble on validation from the kept checkpoints of studies."""
    from fersearch import api
    from fersearch.cli import render, render_models

    def note(text: str) -> None:
        if not as_json:
            render.console(stderr=True).print(text, style="dim")

    result = api.make_ensemble(
        studies,
        out,
        method=method,
        size=size,
        metric=metric,
        where=where or (),
        force=force,
        storage=storage,
        note=note,
    )
    if as_json:
        from fersearch.api import records
        from fersearch.cli.as_json import dump

        dump(records.Ensemble.of(result))
    else:
        render.show(render_models.ensemble(result))
        render.show(
            render.commands([["fersearch", "evaluate", str(out)], ["fersearch", "predict", str(out), "FACE.png"]])
        )

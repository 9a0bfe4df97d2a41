"""`fersearch trial`: list, show."""

from typing import Annotated

import typer

from fersearch.cli.flags import AsJson, Storage

app = typer.Typer(help="The configurations a study tried.", no_args_is_help=True)
Study = Annotated[str, typer.Argument(metavar="STUDY", help="The study's name.")]


@app.command("list")
def list_(study: Study, storage: Storage = None, as_json: AsJson = False) -> None:
    """List a study's trials."""
    from fersearch import api
    from fersearch.cli import records, render

    found = api.list_trials(study, storage)
    if as_json:
        records.dump(records.trials(found))
    else:
        render.show(render.trials(found, api.show_study(study, storage).spec.objectives))


@app.command()
def show(
    study: Study,
    number: Annotated[int, typer.Argument(metavar="N", help="The trial's number.")],
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Show one trial: parameters, values, why it stopped, attempts, epochs."""
    from fersearch import api
    from fersearch.cli import records, render

    view = api.show_trial(study, number, storage)
    if as_json:
        records.dump(records.trial(view))
    else:
        render.show(render.trial(view, api.show_study(study, storage).spec.objectives))

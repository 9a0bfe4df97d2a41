"""`fersearch study explain` and `importance`: why a trial stopped, and which parameters matter."""

from typing import Annotated

import typer

from fersearch.cli.flags import AsJson, Storage, StudyName

Study = StudyName
Number = Annotated[int, typer.Argument(metavar="N", help="The trial's number.")]


def explain(study: Study, number: Number, storage: Storage = None, as_json: AsJson = False) -> None:
    """Explain why a trial stopped or continued: its last rank, which trials were ahead of it, and by how much."""
    from fersearch import api

    explanation = api.explain_trial(study, number, storage)
    if as_json:
        from fersearch.api import records
        from fersearch.cli.as_json import dump

        dump(records.Explanation.of(explanation))
    else:
        from fersearch.cli import render, render_search

        render.show(render_search.explanation(explanation))


def importance(study: Study, storage: Storage = None, as_json: AsJson = False) -> None:
    """Show how much each parameter decides about each objective."""
    from fersearch import api

    importances = api.importance(study, storage)
    if as_json:
        from fersearch.api import records
        from fersearch.cli.as_json import dump

        dump(records.Importance(**importances))
    else:
        from fersearch.cli import render, render_search

        render.show(render_search.importance(study, importances))

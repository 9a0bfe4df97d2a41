"""`fersearch trial`: list, show, rerun."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from fersearch.cli.command import Group
from fersearch.cli.flags import AsJson, Data, Storage, StudyName, TrustStored
from fersearch.errors import UsageError
from fersearch.trial import Epoch

app = typer.Typer(cls=Group, help="Configurations that a study tried.", no_args_is_help=True)
Study = StudyName
Number = Annotated[int, typer.Argument(metavar="N", help="The trial's number.")]


@app.command("list")
def list_(study: Study, storage: Storage = None, as_json: AsJson = False) -> None:
    """List a study's trials."""
    from fersearch import api
    from fersearch.cli import render

    trials = api.list_trials(study, storage)
    if as_json:
        from fersearch.api import records
        from fersearch.cli.as_json import dump

        dump([records.Trial.of(one) for one in trials])
    else:
        render.show(render.trials(trials, api.study_spec(study, storage).objectives))


@app.command()
def show(
    study: Study,
    number: Number,
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Show one trial: parameters, values, why it stopped, attempts, epochs."""
    from fersearch import api
    from fersearch.cli import render

    view = api.show_trial(study, number, storage)
    if as_json:
        from fersearch.api import records
        from fersearch.cli.as_json import dump

        dump(records.TrialDetail.of_view(view))
    else:
        render.show(render.trial(view, api.study_spec(study, storage).objectives))


@app.command()
def rerun(
    study: Study,
    number: Number,
    check: Annotated[bool, typer.Option("--check", help="Exit 1 unless all deterministic metrics match.")] = False,
    seed: Annotated[int | None, typer.Option("--seed", help="A seed other than the study's.")] = None,
    device: Annotated[
        str | None, typer.Option("--device", help="A device other than the trial's, as cpu or cuda:0.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="DIR", help="Keep the model in this folder.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a pulled model that is there.")] = False,
    data: Data = None,
    trust_plugin: TrustStored = False,  # noqa: ARG001
    storage: Storage = None,
    as_json: AsJson = False,
) -> int:
    """Train a trial again as it was, and compare; the study's record stays as it is."""
    from fersearch import api
    from fersearch.cli import render, render_models

    view = api.show_trial(study, number, storage)
    if check:
        _checkable(view.trial.values, seed, api.study_spec(study, storage).seed)

    def report(epoch: Epoch) -> None:
        if not as_json:
            render.console(stderr=True).print(f"epoch {epoch.number} of {view.trial.epochs}", style="dim")

    done = api.rerun_trial(
        study, number, seed=seed, device=device, out=out, force=force, data=data, storage=storage, report=report
    )
    if as_json:
        from fersearch.api import records
        from fersearch.cli.as_json import dump

        dump(records.Rerun.of(done))
    else:
        render.show(render_models.rerun(done))
    return int(check and not done.equal)


def _checkable(values: Mapping[str, float], seed: int | None, own: int) -> None:
    if not values:
        raise UsageError("the trial has no recorded metrics to check against", "leave --check out")
    if seed not in (None, own):
        raise UsageError(f"--check needs the study's own seed {own}, not {seed}", "leave --seed or --check out")

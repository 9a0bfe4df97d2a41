"""`fersearch study`: create, run, check, list, show, front, explain, importance, delete, export, report, compare."""

import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from fersearch.cli import changing, compare, errors, explain, flags
from fersearch.cli.command import Group, examples, flat
from fersearch.cli.flags import AsJson, Keep, RunFlags, Storage, StudyFlags, TrustStored, Yes
from fersearch.cli.running import queue_each, require_model_and_dataset, run_each, tell_created
from fersearch.errors import UsageError
from fersearch.escaping import masked_url, printable, safe

if TYPE_CHECKING:
    pass

app = typer.Typer(cls=Group, help="Searches: create, run, inspect and export them.", no_args_is_help=True)
Name = flags.StudyName
File = Annotated[Path | None, typer.Argument(metavar="FILE.toml", help="A study file; flags override it.")]
Where = Annotated[
    list[str] | None,
    typer.Option("--where", metavar="METRIC<=N", help="Keep only trials within a bound; repeatable."),
]
Data = Annotated[
    Path | None, typer.Option("--data", metavar="PATH", help="Where the study's data is now, if it moved.")
]
AcceptDataChange = Annotated[
    bool,
    typer.Option(
        "--accept-data-change", help="Continue with different data; trials on the earlier data are not compared."
    ),
]
NoRun = Annotated[bool, typer.Option("--no-run", help="Only create the study.")]


@app.command(
    epilog=examples(
        "fersearch study create --model cnn --dataset faces --trials 20",
        "fersearch study create studies/ferplus.toml --data ~/ferplus --timeout 2h",
    )
)
@flat
def create(
    file: File = None,
    *,
    flags: StudyFlags,
    how: RunFlags,
    no_run: NoRun = False,
    storage: Storage = None,
    as_json: AsJson = False,
) -> int:
    """Create a study and run it at once."""
    from fersearch import api
    from fersearch.cli import progress, render

    keywords = flags.keywords()
    plugins = keywords.pop("plugins", [])
    options = how.options()
    if api.is_connected() and options.observe:  # a service keeps them with the study
        keywords["observe"], options = options.observe, replace(options, observe=None)
    api.check_run(options)
    if file is None:
        require_model_and_dataset(keywords)
    with progress.preparation(render.console(stderr=True)) as shown:
        if file is not None:
            specs = api.create_from_file(file, keywords, plugins=plugins, storage=storage, progress=shown)
        else:
            specs = [api.create_study(**keywords, plugins=plugins, storage=storage, progress=shown)]
    names = [spec.name for spec in specs]
    if api.is_connected() and not no_run:
        return queue_each(names, options, as_json)
    if no_run:
        return tell_created(names, storage, as_json)
    return run_each(names, options, how.verbose, storage=storage, as_json=as_json)


@app.command(
    epilog=examples("fersearch study run cnn-faces --trials 40", "fersearch study run 'grid/*' --slots-per-gpu auto")
)
@flat
def run(
    name: Name,
    *,
    how: RunFlags,
    trials: Annotated[int | None, typer.Option("--trials", help="The study's new total of trials.")] = None,
    timeout: Annotated[
        str | None, typer.Option("--timeout", metavar="DURATION", help="End this run after 90, 90s, 55m or 2h.")
    ] = None,
    keep: Keep = None,
    data: Data = None,
    accept_data_change: AcceptDataChange = False,
    trust_plugin: TrustStored = False,  # noqa: ARG001
    storage: Storage = None,
    as_json: AsJson = False,
) -> int:
    """Continue a stopped study, or start one that was only created; 'NAME/*' runs all that match."""
    from fersearch import api

    seconds = flags.duration("--timeout", timeout)
    names = api.matching_studies([name], storage)
    options = how.options(trials=trials, timeout=seconds, keep=keep, data=data, accept_data_change=accept_data_change)
    if api.is_connected():
        return queue_each(names, options, as_json)
    return run_each(names, options, how.verbose, storage=storage, as_json=as_json)


@app.command()
@flat
def resume(name: Name, *, how: RunFlags, storage: Storage = None, as_json: AsJson = False) -> int:
    """Resume a paused study; the same as `study run`."""
    from fersearch import api

    names = api.matching_studies([name], storage)
    if api.is_connected():
        return queue_each(names, how.options(), as_json)
    return run_each(names, how.options(), how.verbose, storage=storage, as_json=as_json)


@app.command()
def pause(name: Name, storage: Storage = None, as_json: AsJson = False) -> None:
    """Pause a study: its trials save and exit, and it does not run until it is resumed."""
    from fersearch import api

    paused = api.pause_study(name, storage)
    if as_json:
        from fersearch.api import records
        from fersearch.cli.as_json import dump

        dump(records.StudyPause(name=name, pausing=paused))
    elif paused:
        errors.echo(f"study '{name}' is paused; continue with: fersearch study resume {name}")
    else:
        errors.echo(f"study '{name}' is neither running nor queued")


@app.command()
def stop(name: Name, storage: Storage = None, as_json: AsJson = False) -> None:
    """Stop a running study, here or elsewhere: it finishes its epochs, saves and exits."""
    from fersearch import api

    stopping = api.stop_study(name, storage)
    if as_json:
        from fersearch.api import records
        from fersearch.cli.as_json import dump

        dump(records.StudyStop(name=name, stopping=stopping))
    elif stopping:
        errors.echo(f"study '{name}' was asked to stop: running trials finish their epoch and are saved")
    else:
        errors.echo(f"study '{name}' is not running")


@app.command()
@flat
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE.toml", help="A study file.")], *, flags: StudyFlags
) -> None:
    """Check a study file and report all its mistakes; nothing is stored."""
    from fersearch import api
    from fersearch.cli import render

    keywords = flags.keywords()
    plugins = keywords.pop("plugins", [])
    specs = api.check_file(file, keywords, plugins=plugins)
    render.show(f"{file} is valid")
    for spec in specs:
        render.show("", render.spec(spec))


@app.command()
def schema() -> None:
    """Print the JSON Schema of a study file, for editors and forms."""
    from fersearch import api

    typer.echo(json.dumps(api.study_schema(), indent=2))


@app.command("list")
def list_(
    all: Annotated[bool, typer.Option("--all", help="Include the studies finish/NAME.")] = False,
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """List the studies, without those that `study finish` made."""
    from fersearch import api
    from fersearch.cli import render

    studies = api.list_studies(storage, all=all)
    if as_json:
        from fersearch.api import records
        from fersearch.cli.as_json import dump

        dump([records.Study.of(one) for one in studies])
    else:
        render.show(render.studies(studies))


@app.command()
def show(name: Name, storage: Storage = None, as_json: AsJson = False) -> None:
    """Show one study: its request, where it stands, what it searches."""
    from fersearch import api
    from fersearch.cli import render

    view = api.show_study(name, storage)
    if as_json:
        from fersearch.api import records
        from fersearch.cli.as_json import dump

        dump(records.StudyDetail.of_view(view))
    else:
        render.show(render.study(view))


@app.command()
def front(name: Name, where: Where = None, storage: Storage = None, as_json: AsJson = False) -> None:
    """Show the Pareto front: the trials that no other beats in everything."""
    from fersearch import api
    from fersearch.cli import render

    best = api.front(name, where=where or (), storage=storage)
    if as_json:
        from fersearch.api import records
        from fersearch.cli.as_json import dump

        dump(records.FrontTrial.of_front(best))
    else:
        render.show(render.front(best))


@app.command(epilog=examples("fersearch study finish cnn-ferplus", "fersearch study finish cnn-ferplus --epochs 40"))
@flat
def finish(
    name: Name,
    *,
    how: RunFlags,
    finalists: Annotated[int, typer.Option("--finalists", metavar="N", help="Trials of the front to retrain.")] = 3,
    seeds: Annotated[
        int, typer.Option("--seeds", metavar="N", help="How many times to retrain each, with fresh seeds.")
    ] = 5,
    epochs: Annotated[
        int | None, typer.Option("--epochs", metavar="N", help="Train each for N epochs; default as in the search.")
    ] = None,
    unseen: Annotated[
        list[str] | None,
        typer.Option("--unseen", metavar="NAME[=PATH]", help="Also evaluate the pick on this dataset; repeatable."),
    ] = None,
    data: Data = None,
    trust_plugin: TrustStored = False,  # noqa: ARG001
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Retrain the best of the front with fresh seeds, pick one on validation, and open test once.

    A study that was finished tells the stored result; nothing is opened again.
    """
    from fersearch import api
    from fersearch.cli import progress, render

    options = how.options(data=data)
    watcher = progress.watcher(render.console(stderr=True), None, how.verbose)
    finished = api.finish_study(
        name,
        options,
        finalists=finalists,
        seeds=seeds,
        epochs=epochs,
        unseen=unseen or (),
        observer=watcher,
        storage=storage,
    )
    if as_json:
        from fersearch.api import records
        from fersearch.cli.as_json import dump

        dump(records.Finish.of(finished))
    else:
        render.show(finished.line)


@app.command()
def delete(name: Name, yes: Yes = False, storage: Storage = None) -> None:
    """Delete a study with its trials, logs and checkpoints."""
    from fersearch import api

    view = api.show_study(name, storage)
    confirm(f"delete study '{name}' with {sum(view.counts.values())} trials and their checkpoints?", yes)
    api.delete_study(name, storage)
    errors.echo(f"deleted study {name}")


@app.command()
def export(
    name: Name,
    format: Annotated[str, typer.Option("--format", help="csv: a row per trial; json: also attempts, epochs.")] = "csv",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write to this file instead of the screen.")] = None,
    to: Annotated[
        tuple[str, str] | None,
        typer.Option("--to", metavar="optuna URL", help="Write it into an Optuna storage, as sqlite:///optuna.db."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file, or the study in the storage.")] = False,
    storage: Storage = None,
) -> None:
    """Export a study's trials: as text, or into an Optuna storage for optuna-dashboard."""
    from fersearch import api
    from fersearch.files import atomic_path, refuse_existing_file

    if to is not None:
        kind, url = to
        if kind != "optuna":
            raise UsageError(f"cannot export to '{kind}'", "write --to optuna sqlite:///optuna.db")
        count = api.export_to_optuna(name, url, force=force, storage=storage)
        errors.echo(f"wrote {count} trials of {name}; look at them: optuna-dashboard {masked_url(url)}")
        return

    if out is None:
        # Written to a file first: a slow reader such as a pager must not hold the database's transaction open.
        with tempfile.TemporaryFile("w+", encoding="utf-8") as whole:
            api.write_export(whole, name, format, storage)
            _pour(whole)
        return
    refuse_existing_file(out, force)
    with atomic_path(out) as path, path.open("w", encoding="utf-8") as file:
        api.write_export(file, name, format, storage)
    errors.echo(f"wrote {out}")


def report(
    name: Name,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="The folder to write.")],
    trials: Annotated[int, typer.Option("--trials", help="Number of best trials whose learning curves are drawn.")] = 5,
    force: Annotated[bool, typer.Option("--force", help="Replace the report in the folder.")] = False,
    trust_plugin: TrustStored = False,  # noqa: ARG001
    storage: Storage = None,
) -> None:
    """Write a study's report: one HTML page, plots, and tables for a paper."""
    from fersearch import api

    written = api.write_report(name, out, trials=trials, force=force, storage=storage)
    errors.echo(f"wrote {written.page}, {len(written.plots)} plots and {len(written.tables)} tables")


app.command("report")(report)
app.command("explain", epilog=examples("fersearch study explain cnn-ferplus 7"))(explain.explain)
app.command("importance")(explain.importance)


app.command(
    "enqueue",
    epilog=examples("fersearch study enqueue cnn-faces --set learning_rate=0.01 --set optimizer=adamw"),
)(changing.enqueue)


app.command(
    "extend",
    epilog=examples("fersearch study extend cnn-faces --trials 60 --set learning_rate=0.0001..0.1"),
)(changing.extend)


app.command(
    "compare",
    epilog=examples(
        "fersearch study compare cnn-ferplus resnet18-ferplus",
        "fersearch study compare cnn-ferplus --factor optimizer -o comparison",
    ),
)(compare.compare)


def _pour(file: TextIO) -> None:
    """Print a file on standard output, with a newline at its end."""
    file.seek(0)
    last, terminal = "\n", sys.stdout.isatty()
    while piece := file.read(1 << 16):
        sys.stdout.write(printable(piece) if terminal else piece)
        last = piece[-1]
    sys.stdout.write("" if last == "\n" else "\n")


def confirm(question: str, yes: bool) -> None:
    """Ask for confirmation on a terminal. Without one, raise UsageError unless `--yes` was given."""
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(question.replace("?", ": there is no terminal to ask on"), "give --yes to confirm")
    typer.confirm(safe(question), abort=True)

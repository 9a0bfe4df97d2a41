"""The command line: `main` is the console script, one noun per file.

Commands import the verbs inside themselves, so that `--help` stays instant.
"""

import os
import sys
from typing import Annotated

import typer

from fersearch import trust
from fersearch.cli import checkpoint, command, dataset, doctor, ensemble, errors, inference, plugin, serve, study, trial
from fersearch.errors import UsageError


class Commands(command.Group):
    """The top-level group: the nouns first, then commands that use their models, then the machine's."""

    order = (
        "study",
        "trial",
        "checkpoint",
        "dataset",
        "plugin",
        "predict",
        "evaluate",
        "ensemble",
        "serve",
        "token",
        "doctor",
    )


app = typer.Typer(
    name="fersearch",
    cls=Commands,
    help="Hyperparameter search for facial expression recognition.",
    epilog="Start here: fersearch study create --model cnn --dataset faces",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich doubles the time that --help takes
    context_settings={"help_option_names": ["-h", "--help"]},
)
NOUNS = {
    "study": study.app,
    "trial": trial.app,
    "checkpoint": checkpoint.app,
    "dataset": dataset.app,
    "plugin": plugin.app,
    "token": serve.tokens,
}
REMOTE = ("study", "trial", "checkpoint", "dataset", "plugin")
"""Groups whose commands a service can answer."""
FILES_ALONE = ("predict",)
"""Commands that work on local files, also when a server is given."""
for noun, commands in NOUNS.items():
    command.build(commands)
    app.add_typer(commands, name=noun)
app.command("predict")(inference.predict)
app.command("evaluate")(inference.evaluate)
app.command("ensemble")(ensemble.ensemble)
app.command("serve", epilog=serve.EPILOG)(serve.serve)
app.command("doctor")(doctor.doctor)
command.build(app)


def _version(wanted: bool) -> None:
    if wanted:
        from fersearch import __version__

        typer.echo(f"fersearch {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks (as FERSEARCH_DEBUG=1).")] = False,
    server: Annotated[
        str | None,
        typer.Option("--server", metavar="URL", help="Run it on this service; default FERSEARCH_SERVER."),
    ] = None,
) -> None:
    if debug:
        os.environ["FERSEARCH_DEBUG"] = "1"
    _connect(server or os.environ.get("FERSEARCH_SERVER"), context.invoked_subcommand)


def _connect(server: str | None, command: str | None) -> None:
    """Send the verbs' requests to a service. Raise UsageError for a command that only works on this machine."""
    if not server or command in FILES_ALONE:
        return
    if command not in REMOTE:
        raise UsageError(
            f"'{command}' works only on this machine, not with --server",
            f"--server works with: {', '.join(REMOTE)}; or leave it out",
        )
    from fersearch import api

    api.connect(server, os.environ.get("FERSEARCH_TOKEN"))


def run(arguments: list[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    trust.ask = errors.ask
    return errors.guarded(lambda: app(arguments, prog_name="fersearch", standalone_mode=False))


def main() -> None:
    """The console script."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    sys.exit(run())

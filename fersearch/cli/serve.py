"""`fersearch serve` and `fersearch token`: run the service, and manage access to it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fersearch.cli import errors
from fersearch.cli.command import Group, examples, flat
from fersearch.cli.flags import AsJson, Storage

if TYPE_CHECKING:
    from fersearch.service.settings import ServiceSettings

LISTEN, SLOTS, SAFETY = "Network", "Where trials run", "Access"
EPILOG = examples(
    "fersearch serve",
    "fersearch serve --host 0.0.0.0 --allow-host lab.example.org --data-root /data --tls-cert c.pem --tls-key k.pem",
)


@dataclass
class ServiceFlags:
    """Where a service listens, which resources it may use, and its limits on requests."""

    host: Annotated[str, typer.Option("--host", rich_help_panel=LISTEN, help="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, typer.Option("--port", rich_help_panel=LISTEN, help="Port; 0: any free port.")] = 8765
    root_path: Annotated[
        str,
        typer.Option("--root-path", metavar="PATH", rich_help_panel=LISTEN, help="URL path behind a reverse proxy."),
    ] = ""
    tls_cert: Annotated[
        Path | None,
        typer.Option("--tls-cert", metavar="FILE", rich_help_panel=LISTEN, help="TLS certificate file, for HTTPS."),
    ] = None
    tls_key: Annotated[
        Path | None, typer.Option("--tls-key", metavar="FILE", rich_help_panel=LISTEN, help="TLS private key file.")
    ] = None
    slots: Annotated[
        int | None,
        typer.Option("--slots", metavar="N", rich_help_panel=SLOTS, help="Trials at once, over all studies."),
    ] = None
    slots_per_gpu: Annotated[
        int | None,
        typer.Option("--slots-per-gpu", metavar="N", rich_help_panel=SLOTS, help="Trials on each GPU."),
    ] = None
    threads_per_slot: Annotated[
        int | None,
        typer.Option("--threads-per-slot", metavar="N", rich_help_panel=SLOTS, help="CPU threads of each trial."),
    ] = None
    engine: Annotated[
        str,
        typer.Option(
            "--engine", metavar="local|ray", rich_help_panel=SLOTS, help="local: this machine; ray: a Ray cluster."
        ),
    ] = "local"
    ray_address: Annotated[
        str | None,
        typer.Option("--ray-address", metavar="auto|HOST:PORT", rich_help_panel=SLOTS, help="Address of the cluster."),
    ] = None
    observe: Annotated[
        list[str] | None,
        typer.Option(
            "--observe",
            metavar="NAME[:OPTION=VALUE,...]",
            rich_help_panel=SLOTS,
            help="Report every study to an observer; repeatable; default FERSEARCH_OBSERVE.",
        ),
    ] = None
    offered_observers: Annotated[
        list[str] | None,
        typer.Option(
            "--offer-observer",
            metavar="NAME[:OPTION=VALUE,...]",
            rich_help_panel=SAFETY,
            help="Allow studies to request this observer, with these options; repeatable.",
        ),
    ] = None
    data_roots: Annotated[
        list[Path] | None,
        typer.Option(
            "--data-root",
            metavar="DIR",
            rich_help_panel=SAFETY,
            help="Folder with data that studies may use; repeatable.",
        ),
    ] = None
    allowed_hosts: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host",
            metavar="NAME",
            rich_help_panel=SAFETY,
            help="Host name under which browsers may open the page; repeatable.",
        ),
    ] = None
    no_token: Annotated[
        bool, typer.Option("--no-token", rich_help_panel=SAFETY, help="Require no token; only on 127.0.0.1.")
    ] = False
    max_upload: Annotated[
        int, typer.Option("--max-upload", metavar="MB", rich_help_panel=SAFETY, help="Maximum size of a request.")
    ] = 20
    max_exported: Annotated[
        int,
        typer.Option(
            "--max-exported", metavar="MB", min=0, rich_help_panel=SLOTS, help="Total size of exported models kept."
        ),
    ] = 2000

    def settings(self, storage: str | None) -> "ServiceSettings":
        """Return the flags as `ServiceSettings`."""
        from fersearch.service.settings import MEGABYTE, ServiceSettings

        same = ("host", "port", "slots", "slots_per_gpu", "threads_per_slot", "engine", "ray_address")
        return ServiceSettings(
            **{name: getattr(self, name) for name in same},
            storage=storage,
            observe=None if self.observe is None else tuple(self.observe),
            offered_observers=tuple(self.offered_observers or ()),
            data_roots=tuple(self.data_roots or ()),
            allowed_hosts=tuple(self.allowed_hosts or ()),
            tokens=not self.no_token,
            tls_certificate=self.tls_cert,
            tls_key=self.tls_key,
            root_path=self.root_path.rstrip("/"),
            max_upload=self.max_upload * MEGABYTE,
            max_exported=self.max_exported * MEGABYTE,
        )


@flat
def serve(*, flags: ServiceFlags, storage: Storage = None) -> None:
    """Serve studies over HTTP, with a page to watch them and to try their models.

    Studies sent to it wait in a queue and share its slots. Ctrl-C lets trials save; the next start goes on.
    """
    from fersearch.service.server import serve as run

    run(flags.settings(storage), errors.echo)


tokens = typer.Typer(cls=Group, help="Tokens: who may use a service.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the token: a person or a purpose.")]


@tokens.command()
def new(
    name: Name,
    role: Annotated[str, typer.Option("--role", metavar="read|run|admin", help="Permissions of the token.")] = "run",
    owner: Annotated[str, typer.Option("--owner", help="Owner of the studies it creates; default its name.")] = "",
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Make a token and print it, this once."""
    from fersearch import api

    secret = api.new_token(name, role, owner, storage)
    if as_json:
        from fersearch.api import records
        from fersearch.cli.as_json import dump

        dump(records.NewToken(name=name, role=role, token=secret))
    else:
        errors.echo(secret)
        errors.say(f"send it as `Authorization: Bearer`, or open the service at /?token={secret[:7]}...")


@tokens.command("list")
def list_(storage: Storage = None, as_json: AsJson = False) -> None:
    """List the tokens."""
    from fersearch import api
    from fersearch.cli import render

    rows = api.list_tokens(storage)
    if as_json:
        from fersearch.api import records
        from fersearch.cli.as_json import dump

        dump([records.Token.of(one) for one in rows])
    else:
        render.show(render.tokens(rows))


@tokens.command()
def revoke(name: Name, storage: Storage = None) -> None:
    """Revoke a token; browsers that signed in with it are signed out."""
    from fersearch import api

    api.revoke_token(name, storage)
    errors.echo(f"revoked token {name}")

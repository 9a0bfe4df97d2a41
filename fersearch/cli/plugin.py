"""`fersearch plugin`: list, show, new, check."""

from pathlib import Path
from typing import Annotated

import typer

from fersearch.cli.command import Group
from fersearch.cli.flags import AsJson, Plugins, pairs

app = typer.Typer(cls=Group, help="Architectures, datasets, metrics and observers.", no_args_is_help=True)


@app.command("list")
def list_(plugin: Plugins = None, as_json: AsJson = False) -> None:
    """List every architecture, dataset, metric and observer."""
    from fersearch import api
    from fersearch.cli import render

    rows, _ = api.list_plugins(tuple(plugin or ()))
    if as_json:
        from fersearch.api import records
        from fersearch.cli.as_json import dump

        dump([records.Plugin.of(row) for row in rows])
    else:
        render.show(render.plugins(rows))


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As `plugin list` names it.")],
    classes: Annotated[
        int, typer.Option("--classes", min=2, help="Classes to count an architecture's parameters for.")
    ] = 8,
    channels: Annotated[int, typer.Option("--channels", min=1, max=3, help="1 grey, 3 colour.")] = 1,
    image_size: Annotated[
        int, typer.Option("--image-size", min=8, metavar="PIXELS", help="Image side in pixels.")
    ] = 48,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Count a configuration other than the first; repeatable."),
    ] = None,
    layers: Annotated[bool, typer.Option("--layers", help="List an architecture's layers too.")] = False,
    plugin: Plugins = None,
    as_json: AsJson = False,
) -> None:
    """Show one component and what it offers to search."""
    from fersearch import api
    from fersearch.cli import render

    view = api.show_plugin(
        name,
        classes=classes,
        channels=channels,
        image_size=image_size,
        settings=pairs("--set", settings),
        layers=layers,
        plugins=tuple(plugin or ()),
    )
    if as_json:
        from fersearch.api import records
        from fersearch.cli.as_json import dump

        dump(records.PluginDetail.of(view))
    else:
        render.show(render.plugin(view))


@app.command()
def new(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="architecture, dataset, metric or observer.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="Lower-case letters, digits and '_'.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="DIR", help="Folder; default ./plugins.")] = None,
) -> None:
    """Write a working plugin and its test, to start from."""
    from fersearch import api
    from fersearch.cli import render

    paths = api.new_plugin(kind, name, out)
    render.show(*(f"wrote {path}" for path in paths))
    render.show(render.commands([["fersearch", "plugin", "check", str(paths[0])], ["pytest", str(paths[-1])]]))


@app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A plugin file.")],
    data: Annotated[
        Path | None, typer.Option("--data", metavar="PATH", help="Files of the dataset it provides.")
    ] = None,
) -> int:
    """Run the contract suite on a plugin file."""
    from fersearch import api
    from fersearch.cli import render

    report = api.check_plugin(file, data=data)
    verdict = f"{file} fulfils the contract" if report.passed else f"{file} violates the contract"
    render.show(*report.lines, verdict)
    return 0 if report.passed else 1

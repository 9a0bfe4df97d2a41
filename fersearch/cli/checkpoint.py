"""`fersearch checkpoint`: list, pull, gc."""

from pathlib import Path
from typing import Annotated

import typer

from fersearch.cli.command import Group, examples
from fersearch.cli.flags import AsJson, Storage, StudyName, TrustStored, Yes
from fersearch.cli.study import confirm

app = typer.Typer(cls=Group, help="Trained weights with everything needed to use them.", no_args_is_help=True)
Study = StudyName


@app.command("list")
def list_(study: Study, storage: Storage = None, as_json: AsJson = False) -> None:
    """List a study's checkpoints."""
    from fersearch import api
    from fersearch.cli import render

    rows = api.list_checkpoints(study, storage)
    if as_json:
        from fersearch.api import records
        from fersearch.cli.as_json import dump

        dump([records.Checkpoint.of(row) for row in rows])
    else:
        render.show(render.checkpoints(rows, api.show_study(study, storage).spec.objectives))


@app.command(
    epilog=examples(
        "fersearch checkpoint pull cnn-ferplus",
        "fersearch checkpoint pull cnn-ferplus --prefer knee --where 'peak_memory_mb<=500'",
    )
)
def pull(
    study: Study,
    trial: Annotated[int | None, typer.Option("--trial", metavar="N", help="The trial to pull.")] = None,
    prefer: Annotated[
        str | None,
        typer.Option(
            "--prefer",
            metavar="cheapest|best|knee|METRIC",
            help="Which trial of the front; default the cheapest within one standard error of the best.",
        ),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option("--where", metavar="METRIC<=N", help="Keep only trials within a bound; repeatable."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="DIR", help="Folder; default ./STUDY-trial-N.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing folder.")] = False,
    format: Annotated[
        str, typer.Option("--format", metavar="safetensors|onnx", help="onnx: also export it as ONNX.")
    ] = "safetensors",
    trust_plugin: TrustStored = False,
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Pull a trained model with its card: the cheapest of the front that is as good as the best, or what you prefer.

    The cheapest is the best by the second objective within one standard error of the best by the first. The knee is
    looked for above 0.9 of the best first objective, unless --where 'METRIC>=SHARE*best' says otherwise.
    """
    from fersearch import api
    from fersearch.cli import render

    pulled = api.pull_checkpoint(
        study,
        trial=trial,
        prefer=prefer,
        where=where or (),
        out=out,
        force=force,
        format=format,
        trust_plugin=trust_plugin,
        storage=storage,
    )
    if as_json:
        from fersearch.api import records
        from fersearch.cli.as_json import dump

        dump(records.PulledCheckpoint.of(pulled))
    else:
        render.show(f"pulled trial {pulled.trial} into {pulled.path}/")
        if pulled.given_up:
            render.show(pulled.given_up)
        trust = ["--trust-plugin"] if pulled.plugins else []
        render.show(render.commands([["fersearch", "predict", str(pulled.path), "FACE.png", *trust]]))


@app.command(
    epilog=examples(
        "fersearch checkpoint export cnn-ferplus-trial-7",
        "fersearch checkpoint export cnn-ferplus-trial-7 --quantize int8 -o cnn-ferplus-int8",
    )
)
def export(
    checkpoint: Annotated[
        Path,
        typer.Argument(
            metavar="CHECKPOINT", help="The folder of a pulled checkpoint or an ensemble, or a weights file."
        ),
    ],
    format: Annotated[str, typer.Option("--format", metavar="onnx", help="File format.")] = "onnx",
    quantize: Annotated[
        str | None,
        typer.Option(
            "--quantize", metavar="int8", help="Quantize weights and activations, calibrated on training images."
        ),
    ] = None,
    max_loss: Annotated[
        float, typer.Option("--max-loss", metavar="F1", help="Largest acceptable loss of macro F1 on validation.")
    ] = 0.01,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="PATH", help="Location of the data that it was trained on.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="DIR", help="Folder to create; default the checkpoint's own.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a model that is in the folder.")] = False,
    trust_plugin: Annotated[
        bool, typer.Option("--trust-plugin", help="Run the plugin file that came with the checkpoint.")
    ] = False,
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Export a checkpoint as one ONNX file: raw images in, probabilities out; needs neither fersearch nor torch."""
    from fersearch import api
    from fersearch.cli import render, render_models

    exported = api.export_checkpoint(
        checkpoint,
        format=format,
        out=out,
        quantize=quantize,
        max_loss=max_loss,
        data=data,
        force=force,
        trust_plugin=trust_plugin,
        storage=storage,
    )
    if as_json:
        from fersearch.api import records
        from fersearch.cli.as_json import dump

        dump(records.ExportedCheckpoint.of(exported))
    else:
        render.show(render_models.exported(exported))
        render.show(render.commands([["fersearch", "predict", str(exported.path.parent), "FACE.png"]]))


@app.command()
def gc(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be removed.")] = False,
    yes: Yes = False,
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Remove the files that no trial needs, each study held to its keep policy; running studies are left alone."""
    from fersearch import api, formatting
    from fersearch.cli import render, render_models

    garbage = api.collect_garbage(dry_run=True, storage=storage)
    if garbage.files and not dry_run:
        size = f"{formatting.plural(garbage.files, 'file')} ({formatting.megabytes(garbage.bytes)})"
        confirm(f"remove {size} that no trial of {garbage.storage} needs?", yes)
        garbage = api.collect_garbage(storage=storage)
    if as_json:
        from fersearch.api import records
        from fersearch.cli.as_json import dump

        dump(records.Garbage.of(garbage))
    else:
        render.show(render_models.garbage(garbage))

"""`fersearch predict` and `fersearch evaluate`: a checkpoint put to use."""

from pathlib import Path
from typing import Annotated

import typer

from fersearch.cli import flags
from fersearch.cli.flags import AsJson, DatasetFlags, Storage

Checkpoint = Annotated[
    Path, typer.Argument(metavar="CHECKPOINT", help="The folder of a pulled checkpoint, or its weights file.")
]
Trust = Annotated[bool, typer.Option("--trust-plugin", help="Run the plugin file that came with the checkpoint.")]


def predict(
    checkpoint: Checkpoint,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Image files.")],
    trust_plugin: Trust = False,
    as_json: AsJson = False,
) -> None:
    """Tell the expression on images."""
    from fersearch import api
    from fersearch.cli import records, render

    found = api.predict(checkpoint, images, trust_plugin=trust_plugin)
    if as_json:
        records.dump(records.predictions(found))
    else:
        render.show(render.predictions(found))


@flags.flat
def evaluate(
    checkpoint: Checkpoint,
    *,
    dataset: Annotated[
        str | None, typer.Option("--dataset", "-d", help="Dataset; default the one it was trained on.")
    ] = None,
    which: DatasetFlags,
    split: Annotated[str, typer.Option("--split", help="valid, train, or test; each look at test is kept.")] = "valid",
    trust_plugin: Trust = False,
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Measure a checkpoint on a dataset."""
    from fersearch import api
    from fersearch.cli import records, render

    view = api.evaluate(
        checkpoint,
        dataset,
        data=which.data,
        split=split,
        dataset_options=which.options(),
        trust_plugin=trust_plugin,
        storage=storage,
    )
    if as_json:
        records.dump(records.evaluation(view))
    else:
        render.show(render.evaluation(view))

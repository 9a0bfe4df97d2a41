"""`fersearch predict` and `fersearch evaluate`: run a trained checkpoint on images."""

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fersearch.cli import errors
from fersearch.cli.command import flat
from fersearch.cli.film import FilmFlags, predict_film
from fersearch.cli.flags import AsJson, DatasetFlags, Storage
from fersearch.errors import UsageError

if TYPE_CHECKING:
    from fersearch.api.evaluating import CheckpointEvaluation, EvaluationRequest, EvaluationView, Progress
    from fersearch.api.predicting import Prediction, Rows, Unreadable


Checkpoint = Annotated[
    Path, typer.Argument(metavar="CHECKPOINT", help="The folder of a pulled checkpoint, or its weights file.")
]
Trust = Annotated[bool, typer.Option("--trust-plugin", help="Run the plugin file that came with the checkpoint.")]
Csv = Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write a CSV file.")]
Force = Annotated[bool, typer.Option("--force", help="Replace the files written.")]


@flat
def predict(
    checkpoint: Checkpoint,
    images: Annotated[list[Path] | None, typer.Argument(metavar="[IMAGE]...", help="Image files.")] = None,
    *,
    folder: Annotated[
        Path | None, typer.Option("--folder", metavar="DIR", help="Every image in this folder and its subfolders.")
    ] = None,
    faces: Annotated[
        bool | None,
        typer.Option(help="Detect faces first; by default only if the training images were cropped to faces."),
    ] = None,
    detector: Annotated[
        Path | None,
        typer.Option("--detector", metavar="FILE", help="A face detector as an ONNX file."),
    ] = None,
    csv: Csv = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Draw images and bars into a .png or .svg file.")
    ] = None,
    film: FilmFlags,
    force: Force = False,
    trust_plugin: Trust = False,
    as_json: AsJson = False,
) -> int:
    """Predict the expression on images, on the frames of a film, or in front of a camera."""
    from fersearch.api import predicting

    source = film.source(bool(images or folder or plot))
    if source is not None:
        options = {"faces": faces is not False, "detector": detector, "trust_plugin": trust_plugin}
        return predict_film(checkpoint, source, film, csv, force, as_json, **options)
    from fersearch.cli import progress, render, render_models

    paths = [*(images or ()), *(predicting.images_in(folder) if folder else ())]
    if not paths:
        raise UsageError("no images given", "name image files, or a folder with --folder")
    if plot:
        predicting.check_plot(plot, len(paths), force)
    if detector and faces is False:
        raise UsageError("--detector was given with --no-faces", "use one of them")
    results = predicting.predictions(checkpoint, paths, faces=faces, detector=detector, trust_plugin=trust_plugin)
    table = predicting.csv_of(csv, predicting.classes_of(checkpoint), bool(faces), force) if csv else nullcontext()
    with table as rows, progress.answering(render.console(stderr=True)) as shown:
        labels, predictions, unreadable = _gather(
            results, shown, len(paths), rows, keep=as_json or bool(plot) or not csv
        )
    if plot:
        predicting.plot_predictions(predictions, plot, force)
    if as_json:
        _dump(predictions, bool(faces))
    elif csv:
        render.show(render_models.tally(labels, f"written to {csv}"))
    else:
        render.show(render_models.predictions(predictions, bool(faces)))
    for one in unreadable:
        errors.tell(one.reason.message, one.reason.hint)
    return int(bool(unreadable))


@flat
def evaluate(
    checkpoint: Annotated[
        Path,
        typer.Argument(metavar="CHECKPOINT", help="A pulled checkpoint, its weights file, or a folder of checkpoints."),
    ],
    *,
    dataset: Annotated[
        str | None, typer.Option("--dataset", "-d", help="Dataset; default the one it was trained on.")
    ] = None,
    which: DatasetFlags,
    split: Annotated[
        str,
        typer.Option("--split", help="valid, train, test, or all of another dataset; each look at test is recorded."),
    ] = "valid",
    tta: Annotated[
        str | None, typer.Option("--tta", help="Test-time augmentation: none, flip, five_crop or ten_crop.")
    ] = None,
    label_map: Annotated[
        list[str] | None,
        typer.Option(
            "--map", metavar="NAME=NAME", help="Map a class of the dataset to one of the checkpoint; NAME= drops it."
        ),
    ] = None,
    no_duplicates: Annotated[
        bool, typer.Option("--no-duplicates", help="Leave out images that also occur in train.")
    ] = False,
    csv: Csv = None,
    force: Force = False,
    trust_plugin: Trust = False,
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Measure a checkpoint, or each in a folder, on a dataset."""
    from fersearch.api import evaluating
    from fersearch.cli import progress, render, render_models
    from fersearch.files import refuse_existing_file

    mapping = parse_label_map(label_map or ())
    request = evaluating.EvaluationRequest(
        dataset, which.data, split, which.options(), tta, mapping, no_duplicates, trust_plugin, storage
    )
    if csv:
        refuse_existing_file(csv, force)
    with progress.preparation(render.console(stderr=True)) as shown:
        results, view = _measured(checkpoint, request, shown)
    if csv:
        evaluating.write_csv(csv, results, force)
    if as_json:
        from fersearch.api import records
        from fersearch.cli.as_json import dump

        dump(records.Evaluation.of(view) if view else records.evaluations(results))
    else:
        render.show(render_models.evaluation(view) if view else render_models.examined(results))
    _tell_failures(results)


def _measured(
    checkpoint: Path, request: "EvaluationRequest", shown: "Progress"
) -> "tuple[list[CheckpointEvaluation], EvaluationView | None]":
    """Return the results of a checkpoint, or of each in a folder; the view is that of a single one."""
    from fersearch.api import evaluating

    if evaluating.holds_checkpoints(checkpoint):
        return evaluating.evaluate_folder(checkpoint, request, shown), None
    view = evaluating.evaluate_checkpoint(checkpoint, evaluating.open_input(checkpoint, request, shown), request)
    return [evaluating.CheckpointEvaluation(checkpoint, view)], view


def parse_label_map(texts: Sequence[str]) -> dict[str, str]:
    """Parse the NAME=NAME and NAME= texts of --map. Raise UsageError for any other form or a repeated name."""
    mapping: dict[str, str] = {}
    for text in texts:
        name, equals, word = (part.strip() for part in text.partition("="))
        if not name or not equals:
            raise UsageError(f"--map '{text}' is not NAME=NAME", "write --map DATASET_CLASS=CHECKPOINT_CLASS")
        if name in mapping:
            raise UsageError(f"--map gives '{name}' twice", "give it once")
        mapping[name] = word
    return mapping


def _tell_failures(results: "Sequence[CheckpointEvaluation]") -> None:
    failed = [(one.checkpoint, one.error) for one in results if one.error]
    for checkpoint, error in failed:
        errors.tell(error.message if str(checkpoint) in error.message else f"{checkpoint}: {error.message}", error.hint)
    if failed:
        raise typer.Exit(1)


def _dump(predictions: "Sequence[Prediction]", faces: bool) -> None:
    """Print predictions as JSON, with boxes where faces were detected."""
    from fersearch.api import records
    from fersearch.cli.as_json import dump

    kind = records.FacePrediction if faces else records.Prediction
    dump([kind.of(one) for one in predictions])


def _gather(
    results: "Iterable[Prediction | Unreadable]", report: "Progress", total: int, rows: "Rows | None", keep: bool
) -> tuple[Counter[str], "list[Prediction]", "list[Unreadable]"]:
    """Consume predictions: count labels, write rows, keep the predictions if `keep`, and the unreadable images.

    Raises:
        DataError: no image could be read.
    """
    from fersearch.api.predicting import Unreadable

    labels: Counter[str] = Counter()
    predictions: list[Prediction] = []
    unreadable: list[Unreadable] = []
    done, last = 0, None
    for one in results:
        done, last = done + (one.image != last), one.image
        report(done, total)
        if isinstance(one, Unreadable):
            unreadable.append(one)
            continue
        labels[one.label] += 1
        if rows:
            rows.add(one)
        if keep:
            predictions.append(one)
    if not labels:
        for other in unreadable[1:]:
            errors.tell(other.reason.message, other.reason.hint)
        raise unreadable[0].reason
    return labels, predictions, unreadable

"""`fersearch predict --video` and `--camera`: predict frame by frame until the film ends or Ctrl-C."""

import json
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fersearch.cli import errors
from fersearch.errors import UsageError
from fersearch.files import refuse_existing_file

if TYPE_CHECKING:
    from fersearch.api.predicting import FrameAnswer


PANEL = "Films and cameras"


@dataclass
class FilmFlags:
    """The film or camera that `predict` reads, and which of its frames."""

    video: Annotated[
        Path | None, typer.Option("--video", metavar="FILE", rich_help_panel=PANEL, help="The frames of a video file.")
    ] = None
    camera: Annotated[
        int | None,
        typer.Option("--camera", metavar="N", rich_help_panel=PANEL, help="Frames of camera N; the first is 0."),
    ] = None
    every: Annotated[
        int, typer.Option("--every", metavar="N", rich_help_panel=PANEL, help="Use only every Nth frame.")
    ] = 1
    most: Annotated[
        int | None, typer.Option("--frames", metavar="N", rich_help_panel=PANEL, help="Stop after N frames.")
    ] = None
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", rich_help_panel=PANEL, help="Write an .mp4 or .gif.")
    ] = None

    def source(self, images: bool) -> Path | int | None:
        """Return the film's path or the camera's number; None for images.

        Raises:
            UsageError: two sources are given, or a flag for films is given without a film.
        """
        named = self.video is not None or self.camera is not None
        if named and (images or (self.video is not None and self.camera is not None)):
            raise UsageError("--video and --camera take a single source and no images", "run predict once for each")
        if not named and (self.out or self.most or self.every != 1):
            raise UsageError("--out, --every and --frames belong to --video or --camera", "name one, or leave them out")
        return self.camera if self.video is None else self.video


def predict_film(
    checkpoint: Path, source: Path | int, film: FilmFlags, csv: Path | None, force: bool, as_json: bool, **options: Any
) -> int:
    """Predict frame by frame; return the exit code, 130 for an interrupted film, whose results so far are kept.

    Args:
        options: `faces`, `detector` and `trust_plugin` of `predict_frames`.
    """
    from fersearch.api import predicting

    answers = predicting.predict_frames(checkpoint, source, every=film.every, most=film.most, **options)
    takers: list[Callable[[FrameAnswer], None]] = [lambda answer: _print(answer, as_json)]
    count = 0
    with ExitStack() as files:
        if film.out:
            refuse_existing_file(film.out, force)
            recording = files.enter_context(predicting.film(film.out))
            takers.append(lambda answer: recording.add(answer.annotated()))
        if csv:
            rows = files.enter_context(predicting.frames_csv(csv, predicting.classes_of(checkpoint), force))
            takers.append(rows.add)
        try:
            for answer in answers:
                count += 1
                for take in takers:
                    take(answer)
        except KeyboardInterrupt:
            errors.say(f"interrupted after {count:,} frames, which are kept")
            return errors.INTERRUPTED if isinstance(source, Path) else 0
    for file in filter(None, (csv, film.out)):
        errors.say(f"wrote {file}")
    return 0


def _print(answer: "FrameAnswer", as_json: bool) -> None:
    """Print a frame as one line, as JSON or as text."""
    if as_json:
        from fersearch.api import records

        sys.stdout.write(json.dumps(records.plain(records.FramePrediction.of(answer))) + "\n")
        sys.stdout.flush()
        return
    faces = [
        f"{one.label} {100 * one.probabilities[one.label]:.0f} %"
        + (f" at {one.box[0]},{one.box[1]} ({one.box[2]}x{one.box[3]})" if one.box else " (no face found: whole frame)")
        for one in answer.predictions
    ]
    errors.echo(f"frame {answer.frame} ({answer.seconds:.2f} s): {'; '.join(faces)}")

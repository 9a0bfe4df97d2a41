"""`fersearch predict --video` and `--camera`: frame by frame, until the film ends or Ctrl-C."""

import json
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fersearch.cli import errors
from fersearch.files import refuse_existing_file

if TYPE_CHECKING:
    from fersearch.api.predicting import FrameAnswer


@dataclass(frozen=True)
class FilmRequest:
    """What is asked of a film: its source, which frames, and where the answers go."""

    checkpoint: Path
    source: Path | int
    every: int
    most: int | None
    faces: bool
    detector: Path | None
    csv: Path | None
    out: Path | None
    force: bool
    trust_plugin: bool
    as_json: bool


def predict_film(asked: FilmRequest) -> int:
    """Answer frame by frame; return 130 where a film was interrupted, whose answers so far are kept."""
    from fersearch.api import predicting

    answers = predicting.predict_frames(
        asked.checkpoint,
        asked.source,
        every=asked.every,
        most=asked.most,
        faces=asked.faces,
        detector=asked.detector,
        trust_plugin=asked.trust_plugin,
    )
    count = 0
    with ExitStack() as files:
        if asked.out:
            refuse_existing_file(asked.out, asked.force)
            film = files.enter_context(predicting.film(asked.out))
        if asked.csv:
            classes = predicting.classes_of(asked.checkpoint)
            rows = files.enter_context(predicting.frames_csv(asked.csv, classes, asked.force))
        try:
            for answer in answers:
                count += 1
                _print(answer, asked.as_json)
                if asked.csv:
                    rows.add(answer)
                if asked.out:
                    film.add(answer.annotated())
        except KeyboardInterrupt:
            errors.say(f"interrupted after {count:,} frames, which are kept")
            return errors.INTERRUPTED if isinstance(asked.source, Path) else 0
    for file in filter(None, (asked.csv, asked.out)):
        errors.say(f"wrote {file}")
    return 0


def _print(answer: "FrameAnswer", as_json: bool) -> None:
    """Print a frame as one line: JSON, or as a person reads it."""
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

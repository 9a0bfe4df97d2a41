"""CK+ as its authors distribute it: sequences of full frames, and a label file for some of them.

Of every labelled sequence the last three frames, at the peak of the expression, are read, and the first one, which
is neutral. A sequence without a file below Emotion/ has no label.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fersearch import DataError, Raw
from fersearch.data.folders import entries, roots, subfolders
from fersearch.data.images import decode_all
from fersearch.data.labels import EMOTIONS
from fersearch.data.step_lists import Steps
from fersearch.data.steps import Annotation
from fersearch.data.walk import Walk
from fersearch.space import Value
from fersearch_datasets import _sanity as sanity
from fersearch_datasets._ckplus_texts import LABELLED, PER_CLASS, emotion, points

IMAGES, EMOTION, LANDMARKS = "cohn-kanade-images", "Emotion", "Landmarks"
SEQUENCES, SUBJECTS = 593, 123
PEAK_FRAMES = 3
NEUTRAL = -1


@dataclass(frozen=True)
class Frame:
    """One frame to read: `from_end` is 0 for the last of its sequence, and -1 for the first, which is neutral."""

    path: Path
    subject: str
    sequence: str
    label: str
    from_end: int


@dataclass
class _SequenceFiles:
    """The content of the folders: frames and label file by (subject, sequence), other files, and findings."""

    images: dict[tuple[str, str], list[Path]] = field(default_factory=dict)
    codes: dict[tuple[str, str], Path] = field(default_factory=dict)
    others: int = 0
    findings: list[str] = field(default_factory=list)

    @property
    def labelled(self) -> list[tuple[str, str]]:
        return sorted(self.images.keys() & self.codes.keys())


@dataclass(frozen=True)
class Original:
    """The folders of the distribution; `landmarks` is None where they are missing."""

    images: Path
    emotions: Path
    landmarks: Path | None

    def files(self) -> list[Path]:
        """Return every label file, and every frame to read with its landmarks."""
        sequences = self._sequence_files()
        frames = [frame for key in sequences.labelled for frame in _frames(sequences.images[key], key, "")]
        points = [path for frame in frames if (path := self._points(frame))]
        return [sequences.codes[key] for key in sequences.labelled] + [frame.path for frame in frames] + points

    def read(self, options: Mapping[str, Value], steps: Steps) -> Raw:
        """Return the frames of the labelled sequences, person by person."""
        sequences = self._sequence_files()
        labels = {key: emotion(sequences.codes[key]) for key in sequences.labelled}
        frames = [frame for key in labels for frame in _frames(sequences.images[key], key, labels[key])]
        findings = sequences.findings + _unexpected(sequences, labels)
        known = self._landmarks(frames, findings) if options["crop"] == "landmarks" else None
        size, channels = int(options["image_size"]), int(options["channels"])
        images = decode_all([frame.path for frame in frames], size, channels, findings, steps, known)
        return Raw(len(frames), images, _columns(frames, self.images), EMOTIONS, findings)

    def _sequence_files(self) -> _SequenceFiles:
        sequences = _SequenceFiles()
        walk = Walk(self.images)
        for key, folder in _sequences(self.images):
            if frames := walk.images(folder):
                sequences.images[key] = frames
        sequences.others, sequences.findings = walk.others, walk.findings()
        for key, folder in _sequences(self.emotions):
            files = [Path(entry.path) for entry in entries(folder) if entry.is_file()]
            codes = [path for path in files if path.name.lower().endswith("_emotion.txt")]
            sequences.others += len(files) - len(codes[:1])
            if codes:
                sequences.codes[key] = codes[0]
        if not sequences.labelled:
            raise DataError(
                f"no labelled sequence in {self.images.parent}: {len(sequences.images):,} sequences of images, "
                f"{len(sequences.codes):,} emotion files",
                f"expected {IMAGES}/S005/001/*.png with {EMOTION}/S005/001/S005_001_00000011_emotion.txt",
            )
        return sequences

    def _points(self, frame: Frame) -> Path | None:
        if self.landmarks is None:
            return None
        path = self.landmarks / frame.subject / frame.sequence / f"{frame.path.stem}_landmarks.txt"
        return path if path.is_file() else None

    def _landmarks(self, frames: Sequence[Frame], findings: list[str]) -> list[Annotation | None]:
        paths = [self._points(frame) for frame in frames]
        if missing := paths.count(None):
            findings.append(
                f"{missing:,} of {len(frames):,} frames have no landmark file: the middle square is "
                "taken from them instead of the face"
            )
        return [Annotation(landmarks=points(path)) if path else None for path in paths]


def find(source: Path) -> Original | None:
    """Return the distribution's folders in a folder or in one of its subfolders; None if there are none.

    Raises:
        DataError: images exist without labels, or labels without images.
    """
    places = list(roots(source))
    images, emotions, landmarks = (
        next((root / name for root in places if (root / name).is_dir()), None) for name in (IMAGES, EMOTION, LANDMARKS)
    )
    if images and emotions:
        return Original(images, emotions, landmarks)
    there, lacking = (images, EMOTION) if images else (emotions, IMAGES)
    if there is None:
        return None
    raise DataError(
        f"only a part of CK+ is in {there.parent}: {there.name}/ without {lacking}/",
        f"unpack {IMAGES}/ and {EMOTION}/ (and {LANDMARKS}/) side by side",
    )


def _sequences(top: Path) -> Iterator[tuple[tuple[str, str], Path]]:
    for subject in subfolders(top):
        for folder in subfolders(subject):
            yield (subject.name, folder.name), folder


def _frames(paths: Sequence[Path], key: tuple[str, str], label: str) -> list[Frame]:
    """Return the first frame of a sequence, then its last three; a lone frame is a peak."""
    peaks = paths[1:][-PEAK_FRAMES:] if len(paths) > 1 else paths
    first = [Frame(paths[0], *key, "neutral", NEUTRAL)] if len(paths) > 1 else []
    return first + [Frame(path, *key, label, len(peaks) - 1 - k) for k, path in enumerate(peaks)]


def _columns(frames: Sequence[Frame], top: Path) -> dict[str, Any]:
    return {
        "label": np.array([EMOTIONS.index(frame.label) for frame in frames], np.int64),
        "split": np.full(len(frames), -2, np.int8),
        "subject": np.array([frame.subject for frame in frames], str),
        "sequence": np.array([f"{frame.subject}_{frame.sequence}" for frame in frames], str),
        "from_end": np.array([frame.from_end for frame in frames], np.int8),
        "name": np.array([str(frame.path.relative_to(top)) for frame in frames], str),
    }


def _unexpected(sequences: _SequenceFiles, labels: Mapping[tuple[str, str], str]) -> list[str]:
    unlabelled = len(sequences.images) - len(labels)
    lost = sorted("/".join(key) for key in sequences.codes.keys() - sequences.images.keys())
    return [
        *(
            [f"{unlabelled:,} sequences have no emotion file: they have no label and were left out"]
            if unlabelled
            else []
        ),
        *([f"{len(lost):,} emotion files are of sequences without images: {sanity.listed(lost)}"] if lost else []),
        *(
            [f"{sequences.others:,} files are neither frames nor the label of a sequence: left out"]
            if sequences.others
            else []
        ),
        *sanity.counted("sequences", SEQUENCES, len(sequences.images)),
        *sanity.counted("persons", SUBJECTS, len({subject for subject, _ in sequences.images})),
        *sanity.counted("labelled sequences", LABELLED, len(labels)),
        *sanity.per_class("labelled sequences per class", PER_CLASS, labels.values()),
    ]

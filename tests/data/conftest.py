"""A tiny dataset for the data room: grey squares listed in a text file, two classes, four people."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fersearch import Choice, DataError, Dataset, Labels, Raw
from fersearch.data.prepared import Prepared, prepare
from fersearch.space import Value


class Squares(Dataset):
    """Each line of the file is `part class subject level`; the image is one grey level with a corner pixel."""

    name = "squares"
    summary = "grey squares"
    licence = "none"
    expected = "squares.txt"
    decoding = {**Dataset.decoding, "corner": Choice(0, 255, search="255")}
    options = {
        "flip_labels": Choice(False, True, search="false"),
        "how": Choice("a", "b", search="a", when={"flip_labels": (True,)}),
    }
    targets = ("majority", "crossentropy")
    reads = 0

    def files(self, source: Path) -> Sequence[Path]:
        if not (source / "squares.txt").exists():
            raise DataError(f"no squares in {source}", "expected squares.txt")
        return [source / "squares.txt"]

    def read(self, source: Path, options: Mapping[str, Value]) -> Raw:
        type(self).reads += 1
        lines = [line.split() for line in (source / "squares.txt").read_text().splitlines()]
        side, channels = int(options["image_size"]), int(options["channels"])

        def images() -> Any:
            for _, _, _, level in lines:
                image = np.full((channels, side, side), int(level), np.uint8)
                image[:, 0, 0] = int(options["corner"])
                yield image

        columns = {
            "label": np.array([int(label) for _, label, _, _ in lines], np.int64),
            "split": np.array([int(part) for part, _, _, _ in lines], np.int8),
            "subject": np.array(["" if who == "-" else who for _, _, who, _ in lines], str),
        }
        return Raw(len(lines), images(), columns, ("dark", "bright"), ["squares are simple"])

    def label(self, columns: Mapping[str, Any], class_names: Sequence[str], params: Mapping[str, Value]) -> Labels:
        hard = np.asarray(columns["label"])
        hard = 1 - hard if params["flip_labels"] else hard
        soft = None if params["target"] == "majority" else np.eye(2, dtype=np.float32)[hard]
        return Labels(tuple(class_names), hard, columns["split"], soft, columns["subject"])


def write_squares(folder: Path, parts: str = "split", n: int = 60) -> Path:
    """Write `n` squares: with a split 4:1:1, or (`drawn`) without one."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for k in range(n):
        part = -2 if parts == "drawn" else (0, 0, 0, 0, 1, 2)[k % 6]
        lines.append(f"{part} {(k // 6) % 2} {'-' if parts == 'split' else f'p{k % 10}'} {k * 4 % 256}")
    (folder / "squares.txt").write_text("\n".join(lines))
    return folder


@pytest.fixture
def squares() -> Squares:
    return Squares()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_squares(tmp_path / "source")


@pytest.fixture
def prepared(squares: Squares, source: Path, tmp_path: Path) -> Prepared:
    return prepare(squares, source, {"image_size": 8}, tmp_path / "prepared")

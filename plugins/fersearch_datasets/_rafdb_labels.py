"""The labels of RAF-DB as they are distributed: codes from 1 or from 0, or names; lists in several formats."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fersearch import DataError
from fersearch.data.labels import EMOTIONS, canonical, known, whole_number
from fersearch.data.parts import part_of
from fersearch.data.textfile import lines

CLASSES = EMOTIONS[:7]
CLASS_NAMES = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")
CODES = {str(code): class_name for code, class_name in enumerate(CLASS_NAMES, 1)}
FROM_ZERO = {str(code): class_name for code, class_name in enumerate(CLASS_NAMES)}
NAME = re.compile(r"(train|test)_(.+?)(?:_aligned)?(\.\w+)", re.IGNORECASE)
HEADER = ("image", "name", "file", "filename", "path", "img", "image_name")
READ_FROM_ZERO = "codes run from 0 to 6: read as the published 1 to 7 less one (0 surprise ... 6 neutral)"


@dataclass(frozen=True)
class Line:
    """One image of a list: its location, `train` or `test`, its number as in the name, and its suffix."""

    where: str
    part: str
    number: str
    suffix: str
    label: str

    def names(self, aligned: bool) -> tuple[str, str]:
        """Return the names that its file may have, the usual one first."""
        plain, cut = f"{self.part}_{self.number}{self.suffix}", f"{self.part}_{self.number}_aligned{self.suffix}"
        return (cut, plain) if aligned else (plain, cut)


def read(table: Path, findings: list[str]) -> list[Line]:
    """Return the lines of a list: image, label, and perhaps a third column, with blanks, tabs or commas between them.

    Raises:
        DataError: a line is not an image and label, its third column says something else, or an image has two labels.
    """
    by_image: dict[str, Line] = {}
    extra_columns = 0
    for k, (number, text) in enumerate(lines(table)):
        where = f"{table} line {number}"
        cells = [cell.strip().strip('"') for cell in re.split(r"[,;\t]|\s+", text) if cell.strip()]
        if k == 0 and cells[0].lower() in HEADER:
            continue
        name = NAME.fullmatch(re.split(r"[/\\]", cells[0])[-1]) if cells else None
        if name is None or len(cells) not in (2, 3):
            raise DataError(f"{where}: '{text}' is not an image and code", "expected lines like: train_00001.jpg 5")
        line = Line(where, name[1].lower(), name[2], name[3], cells[1])
        extra_columns += len(cells) == 3 and not _agrees(line, cells[2])
        first = by_image.setdefault(f"{line.part}_{line.number}", line)
        if first.label != line.label:
            raise DataError(f"{where}: '{text}', but line {first.where.split()[-1]} says {first.label}", "keep one")
    if extra_columns:
        findings.append(f"the third column of {table.name} is not used ({extra_columns:,} lines)")
    return list(by_image.values())


def _agrees(line: Line, third: str) -> bool:
    """Return whether a third column repeats part or label; DataError if it contradicts them."""
    part, class_name = part_of(third), known(third)
    if part is None and class_name is None:
        return False
    if part is not None and part != {"train": 0, "test": 2}[line.part]:
        raise DataError(f"{line.where}: image of {line.part} with '{third}'", "restore the list from the archive")
    if class_name is not None and class_name not in (
        known(line.label),
        CODES.get(line.label),
        FROM_ZERO.get(line.label),
    ):
        raise DataError(f"{line.where}: label {line.label} with '{third}'", "restore the list from the archive")
    return True


def canonical_labels(labels: Sequence[tuple[str, str]], findings: list[str]) -> list[str]:
    """Return the canonical name of each label, given as its location and its text.

    Codes are the published 1 to 7, or 0 to 6 where a label is 0.

    Raises:
        DataError: a label is neither a code nor a class of RAF-DB, or both 0 and 7 occur.
    """
    codes = _codes(labels, findings)
    label_of: dict[str, str] = {}
    for where, text in labels:
        if text not in label_of:
            label_of[text] = _class_of(text, where, codes)
    return [label_of[text] for _, text in labels]


def _class_of(text: str, where: str, codes: Mapping[str, str]) -> str:
    class_name = canonical(text, where, CLASSES, codes)
    if class_name not in CLASSES:
        raise DataError(f"{where}: '{text}' is not a class of RAF-DB", f"its classes: {', '.join(CLASSES)}")
    return class_name


def _codes(labels: Iterable[tuple[str, str]], findings: list[str]) -> Mapping[str, str]:
    place_of: dict[str, str] = {}
    for where, text in labels:
        place_of.setdefault(whole_number(text), where)
    if "0" not in place_of:
        return CODES
    if "7" in place_of:
        message = f"{place_of['0']}: emotion code 0, and {place_of['7']} has 7"
        raise DataError(message, "codes run from 1 to 7, or from 0 to 6")
    if READ_FROM_ZERO not in findings:
        findings.append(READ_FROM_ZERO)
    return FROM_ZERO

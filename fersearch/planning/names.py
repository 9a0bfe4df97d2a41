"""Valid names of studies, and default names."""

import re
import unicodedata
from collections.abc import Sequence

from fersearch.errors import UsageError
from fersearch.planning.request import StudyRequest

LONGEST_NAME = 200
NAME_SIGNS = "._-+:/"


def check_name(name: str | None) -> None:
    """Raise UsageError if `name` is given and no valid name of a study."""
    if name is None:
        return
    if len(name) > LONGEST_NAME:
        problem = f"'{name[:20]}...' is not a valid name for a study: it has {len(name)} characters"
        raise UsageError(problem, f"use at most {LONGEST_NAME}")
    if name and _named(name) == name and not name.startswith("-"):
        return
    cleaned = _named(name).lstrip("-")
    suggested = f"; such as '{cleaned}'" if cleaned.strip("-./_+:") else ""
    raise UsageError(
        f"'{name}' is not a valid name for a study",
        f"use letters, digits, '.', '_', '-', '+', ':' and '/', but no '..'{suggested}",
    )


def default_name(request: StudyRequest, names: Sequence[str]) -> str:
    """Return `ARCHITECTURE-DATASET`, or `ONE+OTHER-DATASET`, with a number where that is one of `names`."""
    base = _named(f"{'+'.join(request.architectures)}-{request.dataset}")[: LONGEST_NAME - 20]
    if base not in names:
        return base
    number = 2
    while f"{base}-{number}" in names:
        number += 1
    return f"{base}-{number}"


def _named(text: str) -> str:
    """Return a text as a study name: letters of any script, digits and `NAME_SIGNS`, the rest as `-`."""
    characters = (c if c in NAME_SIGNS or c.isdecimal() or unicodedata.category(c)[0] in "LM" else "-" for c in text)
    return re.sub(r"\.{2,}", ".", "".join(characters))

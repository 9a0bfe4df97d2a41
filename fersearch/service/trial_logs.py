"""The log of a trial's last attempt, where this machine has it."""

import os
from pathlib import Path

from fersearch.home import log_folder
from fersearch.service.problems import ProblemError
from fersearch.store import Store

MOST = 2**16
"""Most bytes of a log that are sent: its end."""


def last_part(store: Store, study: str, number: int) -> str:
    """Return the last lines of the log of a trial's last attempt, at most `MOST` bytes.

    Raises:
        UnknownName: there is no such study or trial.
        ProblemError: 404 if it has no log yet, or another machine has it.
    """
    row = store.study(study)
    attempts = store.trial(row.id, number).attempts
    log = attempts[-1].log if attempts else None
    if log is None:
        raise ProblemError(404, f"trial {number} has no log", "it begins with the first attempt")
    try:
        return _end(log_folder(row.uid) / Path(log).name)
    except FileNotFoundError:
        raise ProblemError(
            404, f"the log of trial {number} is not on this machine", f"it was written to {log}"
        ) from None


def _end(file: Path) -> str:
    with file.open("rb") as content:
        size = content.seek(0, os.SEEK_END)
        content.seek(max(0, size - MOST))
        text = content.read(MOST).decode(errors="replace")
    return text if size <= MOST else text.partition("\n")[2]

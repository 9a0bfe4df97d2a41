"""HTTP statuses of errors, for the service and for its children, which do without FastAPI."""

from fersearch.errors import (
    DataError,
    FersearchError,
    NameTaken,
    NoDatabase,
    PluginError,
    StoreFull,
    StoreUnavailable,
    StudyBusy,
    StudyFileError,
    UnknownName,
    UsageError,
)
from fersearch.files import DISK_FULL

STATUS: tuple[tuple[type[FersearchError], int], ...] = (
    (UnknownName, 404),
    (NoDatabase, 404),
    (NameTaken, 409),
    (StudyBusy, 409),
    (StoreFull, 507),
    (StoreUnavailable, 503),
    (StudyFileError, 422),
    (DataError, 422),
    (UsageError, 422),
    (PluginError, 422),
)
"""HTTP status by type of error, the first match counts; 500 for all others."""


NO_ROOM = (507, "the service's disk is full", "free space on it, then try again; what was stored before is not lost")


def is_disk_full(error: BaseException | None) -> bool:
    """Return whether an error means that the disk is full."""
    return isinstance(error, OSError) and error.errno in DISK_FULL


def status_of(error: FersearchError) -> int:
    """Return the HTTP status of an error."""
    return next((status for kind, status in STATUS if isinstance(error, kind)), 500)

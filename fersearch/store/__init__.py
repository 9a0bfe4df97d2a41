"""Studies and their trials in SQL, with one writer per study and any number of readers."""

from fersearch.store.control import Control
from fersearch.store.lease import Lease
from fersearch.store.records import Checkpoint, Look, Request, StudyRow, StudySummary
from fersearch.store.store import Store
from fersearch.store.writer import Writer

__all__ = ["Checkpoint", "Control", "Lease", "Look", "Request", "Store", "StudyRow", "StudySummary", "Writer"]

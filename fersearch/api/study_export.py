"""Export a study's trials one after the other, so that memory does not grow with their epochs."""

import csv
import io
import json
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import TextIO

from fersearch.api.studies import TrialView
from fersearch.context import open_store
from fersearch.errors import lookup
from fersearch.store import Store, StudyRow
from fersearch.trial import Epoch, Trial


def export_study(name: str, format: str = "csv", storage: str | None = None) -> str:
    """Return a study's trials as `csv` text (one row each) or `json` (with attempts and epochs)."""
    out = io.StringIO()
    write_export(out, name, format, storage)
    return out.getvalue()


def write_export(out: TextIO, name: str, format: str = "csv", storage: str | None = None) -> None:
    """Write the text of `export_study` to an open file, one trial at a time.

    The database is read meanwhile, so write to a file: a pipe whose reader stalls would hold the transaction open.

    Raises:
        UnknownName: there is no such study or format.
    """
    write = lookup("format", format, {"csv": _write_csv, "json": _write_json})
    with open_store(storage) as store:
        write(out, store, store.study(name))


def _write_json(out: TextIO, store: Store, study: StudyRow) -> None:
    """Write the same text as `json.dumps` of the whole study with an indent of two."""
    from fersearch.api.records import TrialDetail, plain

    head = json.dumps({"name": study.name, "spec": study.spec.to_json()}, indent=2)
    out.write(head.removesuffix("\n}") + ',\n  "trials": [')
    end = "]\n}"
    for trial, history in _with_epochs(store.trials(study.id), store.histories(study.id)):
        row = plain(TrialDetail.of_view(TrialView(trial, history)))
        out.write("\n" if end.startswith("]") else ",\n")
        out.write(textwrap.indent(json.dumps(row, indent=2), "    "))
        end = "\n  ]\n}"
    out.write(end)


def _with_epochs(
    trials: Iterable[Trial], histories: Iterator[tuple[int, Sequence[Epoch]]]
) -> Iterator[tuple[Trial, Sequence[Epoch]]]:
    """Yield each trial with its epochs; both inputs are sorted by number, and trials may have no epochs."""
    number = -1
    history: Sequence[Epoch] = ()
    for trial in trials:
        while number < trial.number:
            number, history = next(histories, (sys.maxsize, ()))
        yield trial, history if number == trial.number else ()


def _write_csv(out: TextIO, store: Store, study: StudyRow) -> None:
    trials = store.trials(study.id)
    params = list(dict.fromkeys(name for trial in trials for name in trial.params))
    values = list(dict.fromkeys(name for trial in trials for name in trial.values))
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        ["number", "state", "reason", "epochs_trained", "kept_epoch", *params, *values, "checkpoint", "data"]
    )
    for trial in trials:
        row = [trial.number, trial.state, trial.reason or "", trial.epochs, trial.kept_epoch or ""]
        row += [trial.params.get(name, "") for name in params] + [trial.values.get(name, "") for name in values]
        writer.writerow([*row, trial.checkpoint or "", trial.data_digest])

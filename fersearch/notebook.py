"""Show records in notebooks: as HTML tables, with everything escaped, and as pandas data frames."""

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fersearch import formatting
from fersearch.errors import FersearchError
from fersearch.escaping import safe
from fersearch.study import Objective
from fersearch.trial import Epoch, Trial

if TYPE_CHECKING:
    import pandas as pd

MOST_ROWS = 100
"""Most rows that a table shows; a data frame has all."""


class Trials(list[Trial]):
    """Trials of a study by number: a list that a notebook shows as a table."""

    def __init__(self, trials: Iterable[Trial] = (), objectives: Sequence[Objective] = ()) -> None:
        super().__init__(trials)
        self.objectives = tuple(objectives)

    def to_frame(self) -> "pd.DataFrame":
        """Return a pandas data frame with a row for each trial: `state`, `params_NAME`, `values_NAME` and others."""
        return trial_frame(self)

    def _repr_html_(self) -> str:
        headings = ("trial", "state", "reason", "epochs", *map(formatting.heading, self.objectives), "parameters")
        names = formatting.varying(self)
        rows = [
            (
                trial.number,
                trial.state.value,
                trial.reason or "",
                trial.epochs,
                *value_cells(trial, self.objectives),
                formatting.settings(trial.params, names),
            )
            for trial in self[:MOST_ROWS]
        ]
        more = len(self) - len(rows)
        notes = [f"and {formatting.plural(more, 'trial')} more: to_frame() has them all"] if more else []
        return table(headings, rows, formatting.plural(len(self), "trial"), notes)


def value_cells(trial: Trial, objectives: Sequence[Objective]) -> list[str]:
    """Return a trial's values of the objectives as text."""
    return [formatting.measured(trial.values, objective.metric) for objective in objectives]


def table(headings: Sequence[str], rows: Iterable[Sequence[object]], title: str = "", notes: Iterable[str] = ()) -> str:
    """Return a table as HTML: a title, headings, rows and notes; numbers are aligned right."""
    head = "".join(f"<th>{_escaped(heading)}</th>" for heading in headings)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    caption = f"<p><b>{_escaped(title)}</b></p>" if title else ""
    below = "".join(f"<p>{_escaped(note)}</p>" for note in notes)
    grid = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div style="overflow-x: auto">{caption}{grid}{below}</div>'


def facts(values: Mapping[str, object], title: str = "") -> str:
    """Return facts as HTML: a title, and a row for each name with its value."""
    style = 'style="text-align: left"'
    rows = "".join(
        f"<tr><th {style}>{_escaped(name)}</th><td {style}>{_escaped(value)}</td></tr>"
        for name, value in values.items()
    )
    caption = f"<p><b>{_escaped(title)}</b></p>" if title else ""
    return f"<div>{caption}<table><tbody>{rows}</tbody></table></div>"


def trial_frame(trials: Sequence[Trial]) -> "pd.DataFrame":
    """Return a data frame with a row for each trial, by its number, in the order given."""
    return frame([_trial_row(trial) for trial in trials], "trial")


def epoch_frame(epochs: Sequence[Epoch]) -> "pd.DataFrame":
    """Return a data frame with a row for each epoch."""
    rows = [
        {
            "epoch": epoch.number,
            "round": epoch.round,
            "seconds": epoch.seconds,
            "cpu_seconds": epoch.cpu_seconds,
            **{f"values_{name}": value for name, value in epoch.values.items()},
        }
        for epoch in epochs
    ]
    return frame(rows, "epoch")


def epoch_table(epochs: Sequence[Epoch], title: str = "") -> str:
    """Return the epochs of a trial as HTML, without the metrics that are undefined in all."""
    known = dict.fromkeys(name for epoch in epochs for name, value in epoch.values.items() if not math.isnan(value))
    rows = [
        (epoch.number, formatting.brief(epoch.seconds), *(formatting.number(epoch.values.get(name)) for name in known))
        for epoch in epochs
    ]
    return table(("epoch", "training", *known), rows, title)


def frame(rows: Sequence[Mapping[str, Any]], index: str) -> "pd.DataFrame":
    """Return rows as a data frame; its index has its name even without rows.

    Raises:
        FersearchError: pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError:
        raise FersearchError("to_frame() needs pandas", "install it: pip install pandas") from None
    names = list(dict.fromkeys([index, *(name for row in rows for name in row)]))
    return pd.DataFrame.from_records([dict(row) for row in rows], columns=names).set_index(index)


def _trial_row(trial: Trial) -> dict[str, Any]:
    return {
        "trial": trial.number,
        "state": trial.state.value,
        "reason": trial.reason.value if trial.reason else None,
        "epochs": trial.epochs,
        "kept_epoch": trial.kept_epoch,
        "checkpoint": trial.checkpoint,
        **{f"params_{name}": value for name, value in trial.params.items()},
        **{f"values_{name}": value for name, value in trial.values.items()},
    }


def _cell(value: object) -> str:
    side = "right" if isinstance(value, int) or str(value)[:1].isdigit() else "left"
    return f'<td style="text-align: {side}">{_escaped(value)}</td>'


def _escaped(value: object) -> str:
    return html.escape(safe(str(value))).replace("\n", "<br>")

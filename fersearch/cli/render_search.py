"""Render explanations of trials and importances of parameters."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType

from fersearch import formatting
from fersearch.cli.parts import Cell, Text, table, title

if TYPE_CHECKING:
    from fersearch.api.results import Explanation, Peer

SHOWN = 10
"""Most trials ahead of the explained one that are shown."""


def explanation(view: "Explanation") -> RenderableType:
    """Return why a trial stopped or went on, with a table of the trials ahead of it."""
    lines = [Text(line) for line in view.sentences]
    if view.own is None or not view.ahead:
        return Group(title(f"trial {view.number}"), *lines)
    titles = ("trial", ">front", *(f">{_heading(view, name)}" for name in view.own.values), "dominates it")
    rows = [_peer(peer) for peer in view.ahead[:SHOWN]]
    own = (f"{view.number} (this)", str(view.own.front), *map(formatting.number, view.own.values.values()), "")
    more = (view.rank or view.peers) - 1 - len(rows)
    rest = [Text(f"and {formatting.number(more)} more", style="dim")] if more > 0 else []
    at = Text(f"trials ahead of it at {view.unit} {view.rung}, best first", style="bold")
    return Group(title(f"trial {view.number}"), *lines, Text(), at, table(titles, [*rows, own]), *rest)


def importance(name: str, importances: Mapping[str, Any]) -> RenderableType:
    """Return a table of each parameter's share in each objective's variance."""
    if not importances["method"]:
        needed = formatting.plural(importances["needed"], "complete trial")
        return Text(f"no parameter importance for {name} yet: it needs {needed} that differ in a parameter")
    metrics = list(importances["objectives"])
    names = list(importances["objectives"][metrics[0]])
    rows: list[tuple[Cell, ...]] = [
        (parameter, *(_share(importances["objectives"][metric], parameter) for metric in metrics))
        for parameter in names
    ]
    lines = [f"share of each objective's variance that a parameter explains, by {importances['method']}"]
    lines += [f"{m} is the same in every trial" for m in metrics if not any(importances["objectives"][m].values())]
    headings = ("parameter", *(f">{metric}" for metric in metrics))
    notes = (Text(line, style="dim") for line in lines)
    return Group(title(f"importance of parameters in {name}"), table(headings, rows), *notes)


def _share(shares: Mapping[str, float], parameter: str) -> str:
    return f"{shares.get(parameter, 0.0):.1%}" if any(shares.values()) else "-"


def _peer(peer: "Peer") -> tuple[Cell, ...]:
    values = (f"{formatting.number(value)}{_gain(peer.better_by[name])}" for name, value in peer.values.items())
    return (str(peer.number), str(peer.front), *values, "yes" if peer.dominates else "no")


def _gain(value: float) -> str:
    if math.isnan(value):
        return ""
    return " (equal)" if value == 0 else f" ({formatting.number(abs(value))} {'better' if value > 0 else 'worse'})"


def _heading(view: "Explanation", name: str) -> str:
    objective = next(one for one in view.objectives if one.metric == name)
    return formatting.heading(objective) + (" projected" if name in view.projected else "")

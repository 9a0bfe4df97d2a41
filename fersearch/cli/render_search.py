"""What a search found out about its trials and parameters, for a person."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType

from fersearch import formatting
from fersearch.cli.parts import Cell, Text, table, title

if TYPE_CHECKING:
    from fersearch.api.results import Explanation, Peer

SHOWN = 10
"""So many of those ahead of a trial are shown."""


def explanation(found: "Explanation") -> RenderableType:
    """Return why a trial stopped or went on, and who was ahead of it."""
    lines = [Text(line) for line in found.told]
    if found.own is None or not found.ahead:
        return Group(title(f"trial {found.number}"), *lines)
    titles = ("trial", ">front", *(f">{_heading(found, name)}" for name in found.own.values), "dominates it")
    rows = [_peer(peer) for peer in found.ahead[:SHOWN]]
    own = (f"{found.number} (this)", str(found.own.front), *map(formatting.number, found.own.values.values()), "")
    more = (found.rank or found.peers) - 1 - len(rows)
    rest = [Text(f"and {formatting.plural(more, 'trial')} more ahead of it", style="dim")] if more > 0 else []
    at = Text(f"ahead of it at {found.unit} {found.rung}, the best first", style="bold")
    return Group(title(f"trial {found.number}"), *lines, Text(), at, table(titles, [*rows, own]), *rest)


def importance(name: str, found: Mapping[str, Any]) -> RenderableType:
    """Return how much each parameter decides about each objective."""
    if not found["method"]:
        needed = formatting.plural(found["needed"], "complete trial")
        return Text(f"no importances of {name} yet: they need {needed}, and a parameter that varies in all of them")
    metrics = list(found["objectives"])
    names = list(found["objectives"][metrics[0]])
    rows: list[tuple[Cell, ...]] = [
        (parameter, *(f"{found['objectives'][metric].get(parameter, 0.0):.1%}" for metric in metrics))
        for parameter in names
    ]
    how = Text(f"shares of each objective's variance that a parameter decides, by {found['method']}", style="dim")
    return Group(
        title(f"importance of parameters in {name}"), table(("parameter", *(f">{m}" for m in metrics)), rows), how
    )


def _peer(peer: "Peer") -> tuple[Cell, ...]:
    values = (f"{formatting.number(value)} ({_gain(peer.better_by[name])})" for name, value in peer.values.items())
    return (str(peer.number), str(peer.front), *values, "yes" if peer.dominates else "no")


def _gain(value: float) -> str:
    return "equal" if value == 0 else f"{formatting.number(abs(value))} {'better' if value > 0 else 'worse'}"


def _heading(found: "Explanation", name: str) -> str:
    objective = next(one for one in found.objectives if one.metric == name)
    return formatting.heading(objective) + (" projected" if name in found.projected else "")

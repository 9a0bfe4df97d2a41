"""`fersearch doctor`: check that everything that a study needs is in place."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from fersearch.cli.flags import AsJson, Storage

if TYPE_CHECKING:
    from fersearch.api.results import Check


def doctor(
    deep: Annotated[
        bool, typer.Option("--deep", help="Also import torch and compute on each device; takes seconds.")
    ] = False,
    storage: Storage = None,
    as_json: AsJson = False,
) -> int:
    """Check machine, packages, database, disk, plugins and data; exit with 1 if something fails."""
    from fersearch import api
    from fersearch.cli import parts, render

    checks = api.diagnose(deep=deep, storage=storage)
    if as_json:
        from fersearch.api import records
        from fersearch.cli.as_json import dump

        dump([records.SystemCheck.of(check) for check in checks])
    else:
        render.show(parts.table(("", "check", "found"), _rows(checks)))
    return int(any(check.level == "fail" for check in checks))


def _rows(checks: "Sequence[Check]") -> Iterator[tuple[str, str, str]]:
    """Yield a row (level, name, message) for each check, followed by one for each line of its hint."""
    for check in checks:
        yield check.level, check.name, check.message
        yield from (("", "", f"-> {line}") for line in check.hint.splitlines())

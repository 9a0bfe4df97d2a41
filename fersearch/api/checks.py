"""What a check of the installation says, and how one that itself breaks is told."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from fersearch.errors import FersearchError

Level = Literal["ok", "warn", "fail"]
MEGABYTE = 2**20
GIGABYTE = 2**30


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: how it stands, in words and as facts, and what to do about it."""

    name: str
    level: Level
    told: str
    hint: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


def guarded(name: str, check: Callable[[], Check]) -> Check:
    """Run a check; an error becomes one that fails, so that the others are still told."""
    try:
        return check()
    except FersearchError as error:
        return Check(name, "fail", error.message, error.hint)
    except Exception as error:
        return Check(name, "fail", f"{type(error).__name__}: {error}", "report it as a bug of fersearch")

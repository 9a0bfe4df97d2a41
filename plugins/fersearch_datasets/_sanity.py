"""Comparison of a dataset's figures with the published ones: findings for the user, never failures."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence


def counted(what: str, expected: int, count: int, qualifier: str = "expected") -> list[str]:
    """Return one finding if the number found differs; `qualifier` is "usually" for a figure that may differ by copy."""
    return [] if count == expected else [f"{qualifier} {expected:,} {what}, found {count:,}"]


def per_class(what: str, expected: Mapping[str, int], labels: Iterable[str], qualifier: str = "expected") -> list[str]:
    """Return one finding with every class whose number of images differs."""
    counts = Counter(labels)
    others = [f"{name} {n:,}, found {counts[name]:,}" for name, n in expected.items() if counts[name] != n]
    return [f"{what}: {qualifier} {'; '.join(others)}"] if others else []


def listed(names: Sequence[str], most: int = 4) -> str:
    """Return the first few names and the number of the others."""
    return ", ".join(names[:most]) + (f" and {len(names) - most:,} more" if len(names) > most else "")

"""What a published dataset holds beside what was found: findings for a person, never failures."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence


def counted(what: str, expected: int, found: int, word: str = "expected") -> list[str]:
    """Return one finding if the number found is another; `word` is "usually" for a figure that may differ by copy."""
    return [] if found == expected else [f"{word} {expected:,} {what}, found {found:,}"]


def per_class(what: str, expected: Mapping[str, int], found: Iterable[str], word: str = "expected") -> list[str]:
    """Return one finding with every class whose number is another."""
    counts = Counter(found)
    others = [f"{name} {n:,}, found {counts[name]:,}" for name, n in expected.items() if counts[name] != n]
    return [f"{what}: {word} {'; '.join(others)}"] if others else []


def listed(names: Sequence[str], most: int = 4) -> str:
    """Return the first few names and the number of the others."""
    return ", ".join(names[:most]) + (f" and {len(names) - most:,} more" if len(names) > most else "")

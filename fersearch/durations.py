"""Durations as people write them: `90`, `90s`, `55m`, `2h`, `1h30m`."""

import re

UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "": 1.0}
_PATTERN = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?")


def seconds(text: str | float, *, zero: bool = False) -> float:
    """Read a duration in seconds; ValueError if it is none, or zero unless `zero`."""
    written = str(text).strip().lower()
    match = _PATTERN.fullmatch(written)
    if isinstance(text, bool) or not match or not written:
        raise ValueError(f"'{text}' is no duration; write 90, 90s, 55m or 2h")
    total = sum(float(part) * UNITS[unit] for part, unit in zip(match.groups(), "hms", strict=True) if part)
    if total <= 0 and not zero:
        raise ValueError(f"'{text}' is no time at all; write 90, 90s, 55m or 2h")
    return total


def brief(duration: float) -> str:
    """A duration for a person, two units at most: `4.1s`, `42s`, `3m 20s`, `2h 05m`."""
    if duration < 9.95:
        return f"{duration:.1f}s"
    whole = round(duration)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    minutes = round(duration / 60)
    return f"{minutes // 60}h {minutes % 60:02d}m"

"""Numbers, durations, plurals, parameters and objectives as people read them. Plain text, no colour."""

import itertools
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fersearch.space import Value
from fersearch.study import Objective, Protocol
from fersearch.trial import Trial

UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "": 1.0}
_PATTERN = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?")

DIGEST_LENGTH = 12


def seconds(text: str | float, *, zero: bool = False) -> float:
    """Read a duration in seconds; ValueError if it is none, or zero unless `zero`."""
    written = str(text).strip().lower()
    match = _PATTERN.fullmatch(written)
    if isinstance(text, bool) or not match or not written:
        raise ValueError(f"'{text}' is not a duration; write 90, 90s, 55m or 2h")
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


NOISY = ("_seconds", "_ms", "_mb")
EXACT = ("model_mb",)
TIE = 0.05


def number(value: float | None) -> str:
    """A value with about three digits that mean something; `-` where there is none."""
    if value is None:
        return "-"
    if not math.isfinite(value):
        return str(value)
    size = abs(value)
    if value == int(value) and size >= 1000:
        return f"{int(value):,}"
    if size >= 100:
        return f"{value:,.0f}"
    if size >= 10:
        return f"{value:.1f}"
    if size >= 1:
        return f"{value:.2f}"
    return f"{value:.3f}" if size >= 0.001 or value == 0 else f"{value:.1e}"


def measured(values: Mapping[str, float], name: str) -> str:
    """A trial's value, with the deviation over its rounds where it has one; "-" where there is none."""
    spread = values.get(f"{name}_std")
    return number(values.get(name)) + (f" ± {number(spread)}" if spread is not None else "")


def setting(value: Value) -> str:
    """A parameter's value: `sgd`, `true`, `0.00312`."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def settings(params: Mapping[str, Value], names: Iterable[str] | None = None) -> str:
    """Parameters on one line: `optimizer=sgd learning_rate=0.031`; only `names`, where given."""
    wanted = set(params) if names is None else set(names)
    return " ".join(f"{name}={setting(value)}" for name, value in params.items() if name in wanted)


def facts(known: Mapping[str, Any]) -> str:
    """Whatever a process recorded, on one line: `device=cpu threads=2`; what is None is left out."""
    return " ".join(f"{name}={_fact(value)}" for name, value in known.items() if value is not None)


def _fact(value: Any) -> str:
    return setting(value) if isinstance(value, bool | int | float | str) else json.dumps(value, default=str)


def varying(trials: Sequence[Trial]) -> list[str]:
    """The parameters in which these trials differ (all of a single one), in the order of the first that has each."""
    names = dict.fromkeys(name for trial in trials for name in trial.params)
    return [name for name in names if len(trials) == 1 or len({repr(trial.params.get(name)) for trial in trials}) > 1]


def heading(objective: Objective) -> str:
    """A column's title: the metric and the way that is better."""
    return f"{objective.metric} {'↑' if objective.direction == 'max' else '↓'}"


def counts(by_state: Mapping[str, int]) -> str:
    """`12 complete, 5 pruned`; `none` for no trials."""
    return ", ".join(f"{count} {state}" for state, count in by_state.items() if count) or "none"


def plural(count: int, noun: str) -> str:
    """`1 trial`, `3 trials`, `3 classes`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}{'es' if noun.endswith('s') else 's'}"


def megabytes(size: int) -> str:
    """A size in bytes, in MB of 2^20: `3.4 MB`."""
    return f"{number(size / 2**20)} MB"


def ties(trials: Sequence[Trial], objectives: Sequence[Objective]) -> set[tuple[int, str]]:
    """Pairs (trial number, metric) whose time or memory lies within 5 % of another trial of the table.

    Clocks and allocators vary by that much between equal runs, so such a difference says nothing.
    """
    found: set[tuple[int, str]] = set()
    for metric in (objective.metric for objective in objectives):
        if metric.endswith(NOISY) and metric not in EXACT:
            rows = sorted((trial.values[metric], trial.number) for trial in trials if metric in trial.values)
            for (low, first), (high, second) in itertools.pairwise(rows):
                if high - low <= TIE * abs(high):
                    found |= {(first, metric), (second, metric)}
    return found


def best(trials: Iterable[Trial], objective: Objective) -> Trial | None:
    """The trial with the best finite value of an objective; the earliest of equals."""
    able = [trial for trial in trials if math.isfinite(trial.values.get(objective.metric, math.nan))]
    return min(able, key=lambda trial: (objective.loss(trial.values[objective.metric]), trial.number), default=None)


def protocol(asked: Protocol) -> str:
    """How a trial is judged, as far as it differs from a dataset's own split judged once."""
    told = [f"split {asked.split}"]
    told += [f"{asked.folds} folds"] if asked.split == "kfold" else []
    told += [f"by {asked.by}"] if asked.by != "auto" else []
    told += [f"ratios {'/'.join(f'{share:g}' for share in asked.ratios)}"] if asked.ratios else []
    told += [plural(asked.repeats, "repeat")] if asked.repeats > 1 else []
    told += ["duplicates left out"] if asked.duplicates == "drop" else []
    return ", ".join(told)


def finite(data: Any) -> Any:
    """Return the same data with NaN and infinity as None, which JSON can say."""
    if isinstance(data, float):
        return data if data - data == 0 else None
    if isinstance(data, dict):
        return {key: finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [finite(value) for value in data]
    return data


def short(digest: str) -> str:
    """Return the beginning of a digest, which tells it from others of one study."""
    return digest[:DIGEST_LENGTH]

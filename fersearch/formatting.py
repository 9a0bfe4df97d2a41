"""Text forms of numbers, durations, plurals, parameters and objectives. Plain text, no colour."""

import itertools
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fersearch.space import Value
from fersearch.study import ARCHITECTURE, Objective, Protocol
from fersearch.trial import Trial

UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "": 1.0}
_PATTERN = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?")

DIGEST_LENGTH = 12


def seconds(text: str | float, *, zero: bool = False) -> float:
    """Parse a duration into seconds. Raise ValueError if it is none, or 0 without `zero`."""
    written = str(text).strip().lower()
    match = _PATTERN.fullmatch(written)
    if isinstance(text, bool) or not match or not written:
        raise ValueError(f"'{text}' is not a duration; write 90, 90s, 55m or 2h")
    total = sum(float(part) * UNITS[unit] for part, unit in zip(match.groups(), "hms", strict=True) if part)
    if total <= 0 and not zero:
        raise ValueError(f"'{text}' is not a positive duration; write 90, 90s, 55m or 2h")
    return total


def brief(duration: float) -> str:
    """Return a duration as text, two units at most: `4.1s`, `42s`, `3m 20s`, `2h 05m`."""
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
    """Return a value with about three significant digits; `-` if it is None."""
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
    """Return a trial's value, with the deviation over its rounds if it has one; "-" if it is None."""
    spread = values.get(f"{name}_std")
    return number(values.get(name)) + (f" ± {number(spread)}" if spread is not None else "")


def interval(ends: tuple[float, float] | None) -> str:
    """Return an interval as text; "-" if it is None."""
    return "-" if ends is None else f"{number(ends[0])} to {number(ends[1])}"


def setting(value: Value) -> str:
    """Return a parameter's value as text: `sgd`, `true`, `0.00312`."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def settings(params: Mapping[str, Value], names: Iterable[str] | None = None) -> str:
    """Return parameters on one line: `optimizer=sgd learning_rate=0.031`; only `names`, where given."""
    chosen = set(params) if names is None else set(names)
    return " ".join(f"{name}={setting(value)}" for name, value in params.items() if name in chosen)


def facts(values: Mapping[str, Any]) -> str:
    """Return the facts of a process on one line: `device=cpu threads=2`; None is left out."""
    return " ".join(f"{name}={_fact(value)}" for name, value in values.items() if value is not None)


def _fact(value: Any) -> str:
    return setting(value) if isinstance(value, bool | int | float | str) else json.dumps(value, default=str)


def varying(trials: Sequence[Trial]) -> list[str]:
    """Return the parameters in which trials differ (all of a single one), in order of first appearance.

    The choice between several architectures is always included.
    """
    names = dict.fromkeys(name for trial in trials for name in trial.params)
    return [name for name in names if name == ARCHITECTURE or len(trials) == 1 or differ(trials, name)]


def differ(trials: Sequence[Trial], name: str) -> bool:
    """Return whether trials differ in a parameter; only those of the architecture that it belongs to count."""
    owners = {
        owner
        for trial in (trials if "." in name else ())
        if (owner := trial.params.get(ARCHITECTURE)) and name in trial.params and name.startswith(f"{owner}.")
    }
    concerned = (trial.params.get(name) for trial in trials if not owners or trial.params.get(ARCHITECTURE) in owners)
    first = repr(next(concerned, None))
    return any(repr(value) != first for value in concerned)


def listed(items: Sequence[str]) -> str:
    """Join items as an enumeration: `cnn, vgg16 and resnet18`."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def heading(objective: Objective) -> str:
    """Return a column's title: the metric and its better direction."""
    return f"{objective.metric} {'↑' if objective.direction == 'max' else '↓'}"


def counts(by_state: Mapping[str, int]) -> str:
    """Return text such as `12 complete, 5 pruned`; `none` for no trials."""
    return ", ".join(f"{count} {state}" for state, count in by_state.items() if count) or "none"


def plural(count: int, noun: str) -> str:
    """Return a count with its noun: `1 trial`, `3 trials`, `3 classes`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}{'es' if noun.endswith('s') else 's'}"


def megabytes(size: int) -> str:
    """Return a size in bytes, in MB of 2^20: `3.4 MB`."""
    return f"{number(size / 2**20)} MB"


def varies(metric: str) -> bool:
    """Return whether a metric comes from clocks or allocators, which differ between equal runs."""
    return metric.endswith(NOISY) and metric not in EXACT


def ties(
    trials: Sequence[Trial], objectives: Sequence[Objective], tolerances: Mapping[str, float] | None = None
) -> set[tuple[int, str]]:
    """Return pairs (trial number, metric) whose time or memory nearly equals that of another trial of the table.

    The tolerance is a share of the larger value: 5 %, or the metric's of `tolerances`. Clocks and allocators vary by
    that much between equal runs, so a smaller difference is not significant.
    """
    shares = tolerances or {}
    pairs: set[tuple[int, str]] = set()
    for metric in (objective.metric for objective in objectives):
        if varies(metric):
            rows = sorted((trial.values[metric], trial.number) for trial in trials if metric in trial.values)
            for (low, first), (high, second) in itertools.pairwise(rows):
                if high - low <= shares.get(metric, TIE) * abs(high):
                    pairs |= {(first, metric), (second, metric)}
    return pairs


def best(trials: Iterable[Trial], objective: Objective) -> Trial | None:
    """Return the trial with the best finite value of an objective; the earliest of equals."""
    defined = [trial for trial in trials if math.isfinite(trial.values.get(objective.metric, math.nan))]
    return min(defined, key=lambda trial: (objective.loss(trial.values[objective.metric]), trial.number), default=None)


def protocol(plan: Protocol) -> str:
    """Return the protocol as text: where it differs from one training on the dataset's own split."""
    parts = [f"split {plan.split}"]
    parts += [f"{plan.folds} folds"] if plan.split == "kfold" else []
    parts += [f"by {plan.by}"] if plan.by != "auto" else []
    parts += [f"ratios {'/'.join(f'{share:g}' for share in plan.ratios)}"] if plan.ratios else []
    parts += [plural(plan.repeats, "repeat")] if plan.repeats > 1 else []
    parts += ["duplicates left out"] if plan.duplicates == "drop" else []
    parts += ["near-duplicates left out"] if plan.duplicates == "near" else []
    return ", ".join(parts)


def finite(data: Any) -> Any:
    """Return the same data with NaN and infinity as None, because JSON has neither."""
    if isinstance(data, float):
        return data if data - data == 0 else None
    if isinstance(data, dict):
        return {key: finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [finite(value) for value in data]
    return data


def short(digest: str) -> str:
    """Return the first digits of a digest, which identify it within a study."""
    return digest[:DIGEST_LENGTH]

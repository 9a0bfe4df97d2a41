"""The standard error and the interval of a trial's value, from the confusion matrix of its kept epoch."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from fersearch.components import Metric
from fersearch.study import Objective
from fersearch.trial import HIGH, LOW, SE

DRAWS, FEWEST = 200, 50
"""Number of resampled matrices: the standard error is then accurate to about 5 %, with the fewest to about 10 %."""
CELLS = 20_000
"""Most cells drawn in total, so that many classes take no longer than milliseconds."""
OF_INTERVAL = 3
"""Times more matrices drawn where an interval is computed too, since its ends are rare values."""
LEVEL = 95


def standard_error(metric: Metric, counts: Sequence[Sequence[int]], seed: Sequence[int]) -> float | None:
    """Return the standard error of a metric over images like those that a confusion matrix counts.

    None where the metric does not follow from the matrix, is undefined, or fails, which fails no trial.
    """
    values = _resampled(metric, counts, seed)
    return None if values is None else _error(values)


def standard_errors(
    objectives: Iterable[Objective],
    metrics: Mapping[str, Metric],
    counts: Sequence[Sequence[int]] | None,
    seed: Sequence[int],
) -> dict[str, float]:
    """Return `NAME_se` for every objective that follows from the confusion matrix of a kept epoch; none without one.

    With that of the first objective come the ends of its percentile interval at `LEVEL`, `NAME_ci_low` and
    `NAME_ci_high`. Source: Efron and Tibshirani 1993 (An Introduction to the Bootstrap, 13.3).
    """
    errors: dict[str, float] = {}
    names = [objective.metric for objective in objectives]
    for name in names if counts is not None else ():
        times = OF_INTERVAL if name == names[0] else 1
        values = _resampled(metrics[name], counts or (), seed, times) if name in metrics else None
        if values is None:
            continue
        errors[f"{name}{SE}"] = _error(values)
        if name == names[0]:
            low, high = np.percentile(values, [(100 - LEVEL) / 2, (100 + LEVEL) / 2])
            errors |= {f"{name}{LOW}": float(low), f"{name}{HIGH}": float(high)}
    return errors


def _error(values: "np.ndarray[Any, Any]") -> float:
    return float(np.std(values, ddof=1))


def _resampled(
    metric: Metric, counts: Sequence[Sequence[int]], seed: Sequence[int], times: int = 1
) -> "np.ndarray[Any, Any] | None":
    """Return the values of a metric over resampled images; None where one cannot be computed.

    Source: the bootstrap, Efron 1979: as many images as there are, drawn with replacement, are multinomial draws of
    the matrix's cells.
    """
    matrix = np.asarray(counts, dtype=np.int64)
    images, filled = int(matrix.sum()), np.flatnonzero(matrix)
    if not images:
        return None
    count = times * min(DRAWS, max(FEWEST, CELLS // len(filled)))
    draws = np.zeros((count, matrix.size), dtype=np.int64)
    shares = matrix.ravel()[filled] / images
    draws[:, filled] = np.random.default_rng(list(seed)).multinomial(images, shares, size=count)
    try:
        values = metric.of_confusions(draws.reshape(count, *matrix.shape))
    except Exception:
        return None
    return values if values is not None and np.isfinite(values).all() else None

"""The standard error of a trial's value, from the confusion matrix of its kept epoch."""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from fersearch.components import Metric
from fersearch.study import Objective
from fersearch.trial import SE

DRAWS, FEWEST = 200, 50
"""Number of resampled matrices: the standard error is then accurate to about 5 %, with the fewest to about 10 %."""
CELLS = 20_000
"""Most cells drawn in total, so that many classes take no longer than milliseconds."""


def standard_error(metric: Metric, counts: Sequence[Sequence[int]], seed: Sequence[int]) -> float | None:
    """Return the standard error of a metric over images like those that a confusion matrix counts.

    None where the metric does not follow from the matrix, is undefined, or fails, which fails no trial.
    Source: the bootstrap, Efron 1979: as many images as there are, drawn with replacement, are multinomial draws of
    the matrix's cells.
    """
    matrix = np.asarray(counts, dtype=np.int64)
    images, filled = int(matrix.sum()), np.flatnonzero(matrix)
    if not images:
        return None
    count = min(DRAWS, max(FEWEST, CELLS // len(filled)))
    draws = np.zeros((count, matrix.size), dtype=np.int64)
    shares = matrix.ravel()[filled] / images
    draws[:, filled] = np.random.default_rng(list(seed)).multinomial(images, shares, size=count)
    try:
        values = metric.of_confusions(draws.reshape(count, *matrix.shape))
        error = math.nan if values is None else float(np.std(values, ddof=1))
    except Exception:
        return None
    return error if math.isfinite(error) else None


def standard_errors(
    objectives: Iterable[Objective],
    metrics: Mapping[str, Metric],
    counts: Sequence[Sequence[int]] | None,
    seed: Sequence[int],
) -> dict[str, float]:
    """Return `NAME_se` for every objective that follows from the confusion matrix of a kept epoch; none without one."""
    if counts is None:
        return {}
    known = [objective.metric for objective in objectives if objective.metric in metrics]
    errors = {name: standard_error(metrics[name], counts, seed) for name in known}
    return {f"{name}{SE}": error for name, error in errors.items() if error is not None}

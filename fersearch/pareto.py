"""Comparison of points with several objectives. Every function takes losses: smaller is better in each column.

A point is a row of numbers, one per objective, in any unit; infinity is the worst there is and
NaN is not allowed. Turn a value into a loss with `Objective.loss`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Points = Sequence[Sequence[float]] | npt.NDArray[Any]
Matrix = npt.NDArray[np.float64]
SMALL_FRONT = 100
"""Number of members of a front found one by one; in larger fronts all pairs of the remaining points are compared."""


def fronts(points: Points) -> list[list[int]]:
    """Sort points (n x objectives) into fronts: the non-dominated ones, those left non-dominated without them, ...

    Returns the indices of each front in ascending order. Equal points share a front.
    Source: non-dominated sorting, Deb et al. 2002 (NSGA-II).
    """
    losses = _matrix(points)
    beats = _domination(losses)
    dominators, remaining = beats.sum(axis=0, dtype=np.int32), np.ones(len(losses), dtype=bool)
    sorted_fronts: list[list[int]] = []
    while remaining.any():
        front = np.flatnonzero(remaining & (dominators == 0))
        sorted_fronts.append(front.tolist())
        remaining[front] = False
        dominators = dominators - beats[front].sum(axis=0, dtype=np.int32)
    return sorted_fronts


def non_dominated(points: Points) -> list[int]:
    """Return the indices of the points that no other dominates, in ascending order: the first of `fronts`."""
    losses = _matrix(points)
    order = np.lexsort(losses.T[::-1])  # nothing dominates the first point, nor the first of the points that it leaves
    members: list[int] = []
    for _ in range(SMALL_FRONT):
        if not len(order):
            break
        rest = losses[order]
        members += order[(rest == rest[0]).all(axis=1)].tolist()
        order = order[(rest < rest[0]).any(axis=1)]
    return sorted(members + order[~_domination(losses[order]).any(axis=0)].tolist())


def epsilon_net(points: Points) -> list[int]:
    """Order points so that each prefix covers them evenly: the best by the first objective, then always the farthest.

    Distances count each objective in units of its own range. Ties go to the smaller index.
    Source: Salinas et al. 2021 (arXiv:2106.05680).
    """
    losses = _matrix(points)
    if not len(losses):
        return []
    scaled = _scaled(losses)
    order = [int(losses[:, 0].argmin())]  # a small difference may vanish when it is scaled
    distance = _squared_distance(scaled, order[0])
    while len(order) < len(scaled):
        distance[order] = -1.0
        order.append(int(distance.argmax()))
        distance = np.minimum(distance, _squared_distance(scaled, order[-1]))
    return order


def reference_behind(points: Points) -> list[float]:
    """Return a reference point a little behind the worst of the points in every objective."""
    worst = _matrix(points).max(axis=0)
    behind: list[float] = (worst + np.abs(worst) * 1e-6 + 1e-12).tolist()
    return behind


def hypervolume(points: Points, reference: Sequence[float]) -> float:
    """Return the exact hypervolume that the points dominate below a reference point.

    Points that do not beat the reference in every objective add nothing. The cost grows as
    n**(objectives - 1): meant for fronts and up to four objectives.
    Source: slicing objectives, While et al. 2006 (doi:10.1109/TEVC.2005.851275).
    """
    corner = np.asarray(reference, dtype=float)
    losses = _matrix(points, columns=len(corner))
    inside = losses[(losses < corner).all(axis=1)]
    return _volume(inside, corner) if len(inside) else 0.0


def hypervolume_gain(points: Points, point: Sequence[float], reference: Sequence[float]) -> float:
    """Return by how much another point enlarges the hypervolume of points: exactly, without computing the whole.

    Source: the exclusive hypervolume by points limited to the new one, While et al. 2012 (WFG).
    """
    own = hypervolume([point], reference)
    limited = np.maximum(_matrix(points, columns=len(reference)), point)
    return own - hypervolume(limited[non_dominated(limited)], reference)


def knee(points: Points) -> int:
    """Return the index of the knee: nearest to the ideal point, each objective in units of the front's range.

    Only non-dominated points are considered; ties go to the smaller index.
    Source: compromise programming, Zeleny 1973.

    Raises:
        ValueError: there is no point.
    """
    losses = _matrix(points)
    if not len(losses):
        raise ValueError("no point, no knee")
    front = non_dominated(losses)
    scaled = _scaled(losses[front])
    return front[int((scaled**2).sum(axis=1).argmin())]


def _matrix(points: Points, columns: int = 1) -> Matrix:
    matrix = np.asarray(points, dtype=float)
    if matrix.size == 0:
        return np.empty((0, columns))
    if matrix.ndim != 2:
        raise ValueError(f"points must be rows of numbers, not an array of {matrix.ndim} dimensions")
    if np.isnan(matrix).any():
        raise ValueError("a point holds NaN; put infinity for the worst")
    return matrix


def _domination(losses: Matrix) -> npt.NDArray[np.bool_]:
    """Return a matrix (n x n) of whether point i dominates point j."""
    no_worse = np.ones((len(losses), len(losses)), dtype=bool)
    for column in losses.T:
        no_worse &= column[:, None] <= column[None, :]
    beats: npt.NDArray[np.bool_] = no_worse & ~no_worse.T
    return beats


def _scaled(losses: Matrix) -> Matrix:
    """Return each column scaled from 0 (its best) to 1 (its worst finite value); infinite losses become 2."""
    scaled = np.full(losses.shape, 2.0)
    scaled[losses == -np.inf] = -1.0
    for j, column in enumerate(losses.T):
        finite = np.isfinite(column)
        if finite.any():
            low, high = column[finite].min(), column[finite].max()
            width = max(high / 2 - low / 2, np.finfo(float).tiny)
            scaled[finite, j] = (column[finite] / 2 - low / 2) / width
    return scaled


def _squared_distance(scaled: Matrix, index: int) -> npt.NDArray[np.float64]:
    distance: npt.NDArray[np.float64] = ((scaled - scaled[index]) ** 2).sum(axis=1)
    return distance


def _volume(losses: Matrix, corner: npt.NDArray[np.float64]) -> float:
    """Return the volume by slices along the last objective, each as deep as the distance to the next point."""
    if losses.shape[1] == 1:
        return float(corner[0] - losses.min())
    ordered = losses[losses[:, -1].argsort(kind="stable")]
    if losses.shape[1] == 2:
        widths = corner[0] - np.minimum.accumulate(ordered[:, 0])
        return float((widths * np.diff(ordered[:, 1], append=corner[1])).sum())
    floors = [*ordered[:, -1].tolist(), float(corner[-1])]
    total = 0.0
    for i in range(len(ordered)):
        depth = floors[i + 1] - floors[i]
        if depth > 0:
            total += depth * _volume(ordered[: i + 1, :-1], corner[:-1])
    return total

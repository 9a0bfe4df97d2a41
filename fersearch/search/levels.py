"""Non-dominated fronts that are kept up to date as points come, so that a thousand votes need not be sorted anew."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fersearch.pareto import epsilon_net, fronts

Matrix = npt.NDArray[np.float64]


class Levels:
    """Points with several losses by number, each with the front it belongs to (0 is not dominated).

    A new point takes its place behind those that dominate it and pushes back, front by front, those that it
    dominates. Source: Li et al. 2017, "Efficient nondomination level update" (doi:10.1109/TCYB.2016.2621008).
    It does so when a rank is asked for: a search that goes on takes in thousands, and may never compare by them.
    """

    def __init__(self) -> None:
        self._waiting: dict[int, tuple[float, ...]] = {}
        self._places: dict[int, int] = {}
        self._numbers: list[int] = []
        self._points = np.empty((0, 0))
        self._levels = np.empty(0, dtype=int)

    def __len__(self) -> int:
        return len(self._numbers) + sum(number not in self._places for number in self._waiting)

    def put(self, number: int, losses: Sequence[float]) -> None:
        """Take a point in; one of that number is replaced."""
        self._waiting[number] = tuple(losses)

    def rank(self, number: int) -> int:
        """The rank (1 is best) of a point: by fronts, inside a front by epsilon-net; equal points share the best."""
        self._settle()
        place = self._places[number]
        level = self._levels[place]
        front = sorted(np.flatnonzero(self._levels == level).tolist(), key=self._numbers.__getitem__)
        points = self._points[front]
        order = epsilon_net(points)
        same = (points[order] == self._points[place]).all(axis=1)
        return int((self._levels < level).sum()) + 1 + int(same.argmax())

    def _settle(self) -> None:
        """Give every point that waits its place, the best first, so that few must be pushed back."""
        moved = {number: losses for number, losses in self._waiting.items() if number in self._places}
        for number, losses in sorted(self._waiting.items(), key=lambda pair: pair[1]):
            if number not in moved:
                self._add(number, np.asarray(losses, dtype=float))
        for number, losses in moved.items():
            self._points[self._places[number]] = losses
        if moved:
            self._sort()
        self._waiting.clear()

    def _add(self, number: int, point: Matrix) -> None:
        if not self._numbers:
            self._points = np.empty((0, len(point)))
        self._places[number] = len(self._numbers)
        self._numbers.append(number)
        ahead = (self._points <= point).all(axis=1) & (self._points < point).any(axis=1)
        level = int(self._levels[ahead].max(initial=-1)) + 1
        self._push_back(point[None, :], level)
        self._points = np.vstack([self._points, point])
        self._levels = np.append(self._levels, level)

    def _push_back(self, points: Matrix, level: int) -> None:
        """Move what the points dominate on a level one level back, then what those dominate there, and so on."""
        moved: list[tuple[npt.NDArray[np.int_], int]] = []
        while len(points) and len(self._levels):
            there = np.flatnonzero(self._levels == level)
            pairs = points[:, None, :], self._points[there][None, :, :]
            behind = there[((pairs[0] <= pairs[1]).all(axis=2) & (pairs[0] < pairs[1]).any(axis=2)).any(axis=0)]
            level += 1
            moved.append((behind, level))
            points = self._points[behind]
        for behind, deeper in moved:
            self._levels[behind] = deeper

    def _sort(self) -> None:
        for level, front in enumerate(fronts(self._points)):
            self._levels[front] = level

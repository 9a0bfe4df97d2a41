"""Worlds to search in: what a configuration gives after every epoch, without training it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import RandomForestRegressor

from fersearch import pareto
from fersearch.space import Choice, Int, Space, Value
from tests.benchmarks.search.tables import Matrix, Table, encoded

TREES = 60
NOISE = 0.5
"""The share of an out-of-bag error that is added to a prediction: a forest's means are smoother than runs are."""


@dataclass(frozen=True)
class Scale:
    """Maps F1, seconds and memory to losses: costs in logs, each from 0 to 1 over the table it was made from."""

    low: Matrix
    high: Matrix

    @classmethod
    def of(cls, table: Table) -> "Scale":
        """Return the scale of a table's final values, F1 from 0."""
        points = _losses(final(table.curves))
        high = points.max(axis=0)
        high[0] = 0.0
        return cls(points.min(axis=0), high)

    def losses(self, points: Matrix) -> Matrix:
        """Return losses (n x 3) of final values (n x 3)."""
        return (_losses(points) - self.low) / (self.high - self.low)

    def volume(self, losses: Matrix) -> float:
        """Return the hypervolume below (1, 1, 1), which no front reaches whole."""
        return pareto.hypervolume(losses, (1.0, 1.0, 1.0))


class Forest:
    """A surrogate of a table: a random forest over a bootstrap of its rows, with part of its error as noise."""

    def __init__(self, table: Table, seed: int) -> None:
        self.space, self.epochs, self.scale, self._seed = table.space, table.epochs, Scale.of(table), seed
        features = np.array([encoded(table.space, dict(params)) for params in table.configurations])
        targets = _targets(table.curves)
        rows = np.random.default_rng(seed).integers(len(features), size=len(features)) if seed else slice(None)
        forest = RandomForestRegressor(
            TREES, min_samples_leaf=2, max_features=0.5, oob_score=True, random_state=seed
        ).fit(features[rows], targets[rows])
        self._trees = [tree.tree_ for tree in forest.estimators_]
        self.errors: Matrix = targets[rows] - forest.oob_prediction_

    def curve(self, params: Mapping[str, Value]) -> Matrix:
        """Return epochs x 3: macro F1, seconds so far, peak MB; the same for the same configuration."""
        features = encoded(self.space, dict(params)).astype(np.float32)[None, :]
        mean = np.mean([tree.predict(features).ravel() for tree in self._trees], axis=0)
        digest = hashlib.sha256(f"{self._seed}:{json.dumps(params, sort_keys=True)}".encode()).digest()
        noise = self.errors[int.from_bytes(digest[:4]) % len(self.errors)]
        return _curve(mean + NOISE * noise, self.epochs)


class Rows:
    """A world of the raw rows: a configuration gives what the nearest row gave that this search did not have yet."""

    def __init__(self, table: Table, _seed: int = 0) -> None:
        self.space, self.epochs, self.scale = table.space, table.epochs, Scale.of(table)
        self._features = np.array([encoded(table.space, dict(params)) for params in table.configurations])
        self._curves, self._left = table.curves, np.ones(len(table.curves), dtype=bool)

    def curve(self, params: Mapping[str, Value]) -> Matrix:
        """Return the curve of the nearest row that is left; all are left again when none is."""
        if not self._left.any():
            self._left[:] = True
        distance = ((self._features - encoded(self.space, dict(params))) ** 2).sum(axis=1)
        distance[~self._left] = np.inf
        nearest = int(distance.argmin())
        self._left[nearest] = False
        return self._curves[nearest]


class SearchedEpochs:
    """A world whose runs are as long as their configuration says: the first epochs of what another one gives.

    A schedule that ends sooner is not the beginning of a longer one, so that short runs come out somewhat worse here
    than they are.
    """

    def __init__(self, world: Forest | Rows, least: int = 3) -> None:
        self.epochs, self.scale, self._world = world.epochs, world.scale, world
        self.space = Space({**world.space.dimensions, "epochs": Int(least, world.epochs)})

    def curve(self, params: Mapping[str, Value]) -> Matrix:
        """Return epochs x 3, for the epochs of the configuration."""
        whole = {**params, "epochs": self.epochs}
        return self._world.curve(whole)[: int(params["epochs"])]


World = Forest | Rows | SearchedEpochs


def random_configuration(space: Space, chance: np.random.Generator) -> dict[str, Value]:
    """Draw a configuration."""
    params: dict[str, Value] = {}
    for name, dimension in space.active(params):
        if isinstance(dimension, Choice):
            params[name] = dimension.options[int(chance.integers(len(dimension.options)))]
            continue
        low, high = float(dimension.low), float(dimension.high)
        drawn = np.exp(chance.uniform(*np.log([low, high]))) if dimension.log else chance.uniform(low, high)
        params[name] = round(drawn) if isinstance(dimension, Int) else float(drawn)
    return params


def final(curves: Matrix) -> Matrix:
    """Return the values of whole runs (n x 3) from their curves (n x epochs x 3): the best F1, the costs at the end."""
    return np.stack([curves[:, :, 0].max(axis=1), curves[:, -1, 1], curves[:, -1, 2]], axis=1)


def _losses(points: Matrix) -> Matrix:
    return np.stack([-points[:, 0], np.log(points[:, 1]), np.log(points[:, 2])], axis=1)


def _targets(curves: Matrix) -> Matrix:
    f1 = np.clip(curves[:, :, 0], 0.005, 0.995)
    costs = np.log(np.stack([curves[:, -1, 1] / curves.shape[1], curves[:, -1, 2]], axis=1))
    return np.hstack([np.log(f1 / (1 - f1)), costs])


def _curve(target: Matrix, epochs: int) -> Matrix:
    f1 = 1 / (1 + np.exp(-target[:epochs]))
    seconds, memory = np.exp(target[epochs:])
    return np.stack([f1, seconds * np.arange(1, epochs + 1), np.full(epochs, memory)], axis=1)

"""The recorded tables: configurations, and what each gave after every epoch."""

import csv
import gzip
import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fersearch.space import Choice, Dimension, Float, Int, Space, Value

FOLDER = Path(__file__).parent / "tables"
COSTS = ("f1_macro", "cpu_seconds", "peak_memory_mb")
Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Table:
    """Configurations of a space, with `curves` (configurations x epochs x 3): macro F1, CPU seconds so far, peak MB."""

    space: Space
    configurations: tuple[dict[str, Value], ...]
    curves: Matrix

    @property
    def epochs(self) -> int:
        """The epochs of every run."""
        return int(self.curves.shape[1])


def read_table(name: str) -> Table:
    """Read a table that `record` wrote; runs with an undefined value are left out."""
    space = Space.from_json(json.loads((FOLDER / f"{name}.json").read_text())["space"])
    text = gzip.decompress((FOLDER / f"{name}.csv.gz").read_bytes()).decode()
    runs: dict[int, list[dict[str, str]]] = {}
    for row in csv.DictReader(io.StringIO(text)):
        runs.setdefault(int(row["trial"]), []).append(row)
    most = max(len(rows) for rows in runs.values())
    whole = {number: rows for number, rows in runs.items() if len(rows) == most}
    curves = np.array([[[float(row[metric]) for metric in COSTS] for row in rows] for rows in whole.values()])
    finite = np.isfinite(curves).all(axis=(1, 2))
    configurations = [_configuration(space, rows[0]) for rows in whole.values()]
    return Table(space, tuple(c for c, good in zip(configurations, finite, strict=True) if good), curves[finite])


def encoded(space: Space, params: dict[str, Value]) -> Matrix:
    """Return a configuration as numbers: options as indicators, numbers from 0 to 1, -1 where one does not apply."""
    features: list[float] = []
    for name in space:
        dimension = space[name]
        if isinstance(dimension, Choice):
            if len(dimension.options) > 1:
                features += [float(params.get(name) == option and name in params) for option in dimension.options]
        elif dimension.low < dimension.high:
            features.append(_share(dimension, float(params[name])) if name in params else -1.0)
    return np.array(features)


def _share(dimension: Float | Int, value: float) -> float:
    low, high = float(dimension.low), float(dimension.high)
    if dimension.log:
        value, low, high = np.log([value, low, high])
    return float((value - low) / (high - low))


def _configuration(space: Space, row: dict[str, str]) -> dict[str, Value]:
    params: dict[str, Value] = {}
    for name, dimension in space.active(params):
        params[name] = _value(dimension, row[name]) if name in row else _only(dimension)
    return params


def _only(dimension: Dimension) -> Value:
    return dimension.options[0] if isinstance(dimension, Choice) else dimension.low


def _value(dimension: Dimension, text: str) -> Value:
    if isinstance(dimension, Choice):
        return next(option for option in dimension.options if str(option) == text)
    return int(text) if isinstance(dimension, Int) else float(text)

"""Record the training runs that the replays are built on; a run that was cut short goes on.

Where a table has fewer configurations than are planned and its study is gone, `--before` with a copy of it lets a new
study train the missing ones: the points of the Sobol sequence that it does not have, and some that it has, by which
the new costs are told in the speed of the old ones (see `continued`).

python -m tests.benchmarks.search.record ferplus --data ~/ferplus   [--before ferplus.csv.gz]
python -m tests.benchmarks.search.record fer2013 --data ~/fer2013
"""

import argparse
import csv
import gzip
import io
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from fersearch import api
from fersearch.space import Params, Space
from tests.benchmarks.search.continued import at_recorded_speed, plan
from tests.benchmarks.search.methods import Fersearch
from tests.benchmarks.search.tables import COSTS, FOLDER, Matrix

FLAGS = [
    "--image-size=32", "--limit=4000", "--epochs=12", "--sampler=qmc", "--pruner=none", "--keep=best:1", "--seed=0",
    "--threads-per-slot=1", *(f"--objective={metric}" for metric in COSTS),
]  # fmt: skip
TABLES = {
    "ferplus": ["--dataset=ferplus", "--set=width=1,2,3"],
    "fer2013": [
        "--dataset=fer2013",
        "--set=width=1,2", "--set=convolutions=1,2", "--set=batch_norm=true,false",
    ],
}  # fmt: skip
PLANNED = {"ferplus": 324, "fer2013": 160}


def fersearch(*arguments: str) -> None:
    """Run a command of fersearch."""
    subprocess.run(["fersearch", *arguments], check=True)


def rounded(value: object) -> object:
    """Return a real number with five digits, anything else as it is."""
    return f"{value:.5g}" if isinstance(value, float) else value


def is_fixed(dimension: dict[str, Any]) -> bool:
    """Return whether a dimension has a single value."""
    options = dimension.get("options")
    return len(options) == 1 if options else dimension.get("low") == dimension.get("high")


def searched(space: dict[str, Any]) -> list[str]:
    """Return the names of the dimensions that have several values."""
    return [name for name, dimension in space.items() if not is_fixed(dimension)]


def as_text(params: Params, names: list[str]) -> tuple[str, ...]:
    """Return the values of a configuration as a table has them; empty where a name does not apply."""
    return tuple(str(rounded(params.get(name, ""))) for name in names)


def curves(table: str) -> dict[int, Matrix]:
    """Return the values after every epoch (epochs x `COSTS`) of the configurations in the text of a table."""
    runs: dict[int, list[list[float]]] = {}
    for row in csv.DictReader(io.StringIO(table)):
        runs.setdefault(int(row["trial"]), []).append([float(row[metric]) for metric in COSTS])
    return {number: np.array(run) for number, run in runs.items()}


def keep(name: str, study: str, before: str) -> int:
    """Write the table of that name: the rows there were before, and a study's epochs. Return its rows."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "study.json"
        fersearch("study", "export", study, "--format", "json", "--out", str(path))
        record = json.loads(path.read_text())
    spec = record["spec"]
    names = searched(spec["space"])
    header = ",".join(["trial", "epoch", *names, *COSTS]) + "\n"
    if before and not before.startswith(header):
        raise SystemExit(f"{name}: the columns of the table and of study {study} differ")
    points = [as_text(point, names) for point in sobol(Space.from_json(spec["space"]), PLANNED[name], before)]
    trials = [trial for trial in record["trials"] if trial["state"] == "complete"]
    order = [points.index(as_text(trial["params"], names)) for trial in trials]
    runs = {
        number: np.array([[epoch["values"][metric] for metric in COSTS] for epoch in trial["history"]])
        for number, trial in zip(order, trials, strict=True)
    }
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    new, errors = at_recorded_speed(runs, curves(before))
    for number, curve in sorted(new.items()):
        for epoch, values in enumerate(curve.tolist(), 1):
            writer.writerow([number, epoch, *points[number], *map(rounded, values)])
    for cost, error in zip(COSTS[1:], errors, strict=False):
        print(f"{cost}: repeats come within {error:.0%} (median) of what was recorded")
    table = (before or header) + text.getvalue()
    facts = {key: spec[key] for key in ("model", "dataset", "limit", "protocol", "seed", "space")}
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.json").write_text(json.dumps(facts, indent=1) + "\n")
    (FOLDER / f"{name}.csv.gz").write_bytes(gzip.compress(table.encode(), mtime=0))
    return table.count("\n") - 1


def create(study: str, name: str, data: str, before: str) -> None:
    """Create the study that trains what a table lacks."""
    have = sorted(curves(before))
    order = plan(have, [number for number in range(PLANNED[name]) if number not in have])
    flags = [*TABLES[name], *FLAGS, f"--trials={len(order)}"]
    fersearch("study", "create", "--model=cnn", f"--name={study}", f"--data={data}", "--no-run", *flags)
    if before:
        space = Space.from_json(json.loads((FOLDER / f"{name}.json").read_text())["space"])
        names = searched(space.to_json())
        points = sobol(space, PLANNED[name], before)
        for number in order:
            api.enqueue_trial(study, {key: value for key, value in points[number].items() if key in names})


def sobol(space: Space, count: int, table: str) -> list[Params]:
    """Return the first points of the sequence that a study of this space trains; SystemExit if a table has others."""
    search = Fersearch(space, 0, [], sampler="qmc", pruner="none")
    points = [dict(search.ask()[1]) for _ in range(count)]
    for row in csv.DictReader(io.StringIO(table)):
        names = [name for name in row if name in space]
        if as_text(points[int(row["trial"])], names) != tuple(row[name] for name in names):
            raise SystemExit(f"configuration {row['trial']} of the table is not that point of the sequence")
    return points


def main() -> None:
    """Create the study unless it is there, run it to its end, and write its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", choices=TABLES)
    parser.add_argument("--data", help="folder of the dataset; needed at first")
    parser.add_argument("--before", help="rows of a table to go on from, as they were before the study began")
    parser.add_argument("--slots", type=int, default=1, help="trials at once, of one thread each")
    parser.add_argument("--only-keep", action="store_true", help="write the table from what has been recorded")
    options = parser.parse_args()
    study = f"table-{options.table}"
    before = gzip.decompress(Path(options.before).read_bytes()).decode() if options.before else ""
    if options.data and not options.only_keep:
        create(study, options.table, options.data, before)
    if not options.only_keep:
        fersearch("study", "run", study, f"--slots={options.slots}", "--threads-per-slot=1")
    print(f"{keep(options.table, study, before):,} rows in {FOLDER / options.table}.csv.gz")


if __name__ == "__main__":
    main()

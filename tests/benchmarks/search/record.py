"""Record the training runs that the replays are built on; a run that was cut short goes on.

Where a table has fewer configurations than are planned and its study is gone, `--before` with a copy of it lets a new
study train the missing ones: the points of the Sobol sequence that it does not have.

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

from fersearch import api
from fersearch.space import Params, Space
from tests.benchmarks.search.methods import Fersearch
from tests.benchmarks.search.tables import COSTS, FOLDER

FLAGS = [
    "--image-size=32", "--limit=4000", "--epochs=12", "--sampler=qmc", "--pruner=none", "--keep=best:1", "--seed=0",
    "--slots=1", "--threads-per-slot=1", *(f"--objective={metric}" for metric in COSTS),
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


def recorded(study: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return what is known of a study's space and protocol, and its epochs as CSV: a row per trial and epoch."""
    spec = study["spec"]
    searched = [name for name, dimension in spec["space"].items() if not is_fixed(dimension)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["trial", "epoch", *searched, *COSTS])
    for trial in study["trials"]:
        if trial["state"] != "complete":
            continue
        params = [rounded(trial["params"].get(name, "")) for name in searched]
        for epoch in trial["history"]:
            numbers = [rounded(epoch["values"][metric]) for metric in COSTS]
            writer.writerow([trial["number"], epoch["epoch"], *params, *numbers])
    settings = {name: spec[name] for name in ("model", "dataset", "limit", "protocol", "seed", "space")}
    return settings, text.getvalue()


def rounded(value: object) -> object:
    """Return a real number with five digits, anything else as it is."""
    return f"{value:.5g}" if isinstance(value, float) else value


def is_fixed(dimension: dict[str, Any]) -> bool:
    """Return whether a dimension has a single value."""
    options = dimension.get("options")
    return len(options) == 1 if options else dimension.get("low") == dimension.get("high")


def keep(name: str, study: str, before: str) -> int:
    """Write the table of that name: the rows there were before, and a study's epochs. Return its rows."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "study.json"
        fersearch("study", "export", study, "--format", "json", "--out", str(path))
        facts, text = recorded(json.loads(path.read_text()))
    header, *rows = text.splitlines(keepends=True)
    if before and not before.startswith(header):
        raise SystemExit(f"{name}: the columns of the table and of study {study} differ")
    first = len(numbers(before))
    rows = [f"{int(number) + first},{rest}" for number, rest in (row.split(",", 1) for row in rows)]
    text = "".join([before or header, *rows])
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.json").write_text(json.dumps(facts, indent=1) + "\n")
    (FOLDER / f"{name}.csv.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    return text.count("\n") - 1


def numbers(table: str) -> set[int]:
    """Return the numbers of the configurations in the text of a table."""
    return {int(row["trial"]) for row in csv.DictReader(io.StringIO(table))}


def create(study: str, name: str, data: str, before: str) -> None:
    """Create the study that trains what a table lacks."""
    have, planned = len(numbers(before)), PLANNED[name]
    flags = [*TABLES[name], *FLAGS, f"--trials={planned - have}"]
    fersearch("study", "create", "--model=cnn", f"--name={study}", f"--data={data}", "--no-run", *flags)
    if before:
        space = Space.from_json(json.loads((FOLDER / f"{name}.json").read_text())["space"])
        fixed = {key for key, dimension in space.to_json().items() if is_fixed(dimension)}
        for params in sobol(space, planned, before)[have:]:
            api.enqueue_trial(study, {key: value for key, value in params.items() if key not in fixed})


def sobol(space: Space, count: int, table: str) -> list[Params]:
    """Return the first points of the sequence that a study of this space trains; SystemExit if a table has others."""
    search = Fersearch(space, 0, [], sampler="qmc", pruner="none")
    points = [dict(search.ask()[1]) for _ in range(count)]
    for row in csv.DictReader(io.StringIO(table)):
        point = points[int(row["trial"])]
        if any(str(rounded(point.get(name, ""))) != row[name] for name in row.keys() & set(space)):
            raise SystemExit(f"configuration {row['trial']} of the table is not that point of the sequence")
    return points


def main() -> None:
    """Create the study unless it is there, run it to its end, and write its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", choices=TABLES)
    parser.add_argument("--data", help="folder of the dataset; needed at first")
    parser.add_argument("--before", help="rows of a table to go on from, as they were before the study began")
    parser.add_argument("--only-keep", action="store_true", help="write the table from what has been recorded")
    options = parser.parse_args()
    study = f"table-{options.table}"
    before = gzip.decompress(Path(options.before).read_bytes()).decode() if options.before else ""
    if options.data and not options.only_keep:
        create(study, options.table, options.data, before)
    if not options.only_keep:
        fersearch("study", "run", study)
    print(f"{keep(options.table, study, before):,} rows in {FOLDER / options.table}.csv.gz")


if __name__ == "__main__":
    main()

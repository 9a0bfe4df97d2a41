"""Record the training runs that the replays are built on; a run that was cut short goes on.

python -m tests.benchmarks.search.record ferplus --data ~/ferplus
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

from tests.benchmarks.search.tables import COSTS, FOLDER

FLAGS = [
    "--image-size=32", "--limit=4000", "--epochs=12", "--sampler=qmc", "--pruner=none", "--keep=best:1",
    "--slots=1", "--threads-per-slot=1", *(f"--objective={metric}" for metric in COSTS),
]  # fmt: skip
TABLES = {
    "ferplus": ["--dataset=ferplus", "--trials=324", "--set=width=1,2,3"],
    "fer2013": [
        "--dataset=fer2013", "--trials=160",
        "--set=width=1,2", "--set=convolutions=1,2", "--set=batch_norm=true,false",
    ],
}  # fmt: skip


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


def keep(name: str, study: str) -> int:
    """Write a study's epochs as the table of that name; return its rows."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "study.json"
        fersearch("study", "export", study, "--format", "json", "--out", str(path))
        facts, text = recorded(json.loads(path.read_text()))
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.json").write_text(json.dumps(facts, indent=1) + "\n")
    (FOLDER / f"{name}.csv.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    return text.count("\n") - 1


def main() -> None:
    """Create the study unless it is there, run it to its end, and write its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", choices=TABLES)
    parser.add_argument("--data", help="folder of the dataset; needed at first")
    parser.add_argument("--only-keep", action="store_true", help="write the table from what has been recorded")
    options = parser.parse_args()
    study = f"table-{options.table}"
    if options.data and not options.only_keep:
        flags = [*TABLES[options.table], *FLAGS]
        fersearch("study", "create", "--model=cnn", f"--name={study}", f"--data={options.data}", "--no-run", *flags)
    if not options.only_keep:
        fersearch("study", "run", study)
    print(f"{keep(options.table, study):,} rows in {FOLDER / options.table}.csv.gz")


if __name__ == "__main__":
    main()

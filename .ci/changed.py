"""Print the test files and folders that belong to what differs from a commit: `python .ci/changed.py BASE`.

A module's tests are the file of its name, or else the folder of its room; a changed test stands for itself.
"""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

PLUGINS = "fersearch_"  # plugins/fersearch_datasets is tested by tests/plugins/datasets


def changed_files(base: str) -> list[str]:
    """Return the paths that differ from `base`, new files that git does not know included."""
    tracked = ["git", "diff", "--name-only", "--no-renames", base]
    unknown = ["git", "ls-files", "--others", "--exclude-standard"]
    return [line for git in (tracked, unknown) for line in subprocess.check_output(git, text=True).splitlines()]


def tests_of(path: str) -> list[PurePosixPath]:
    """Return where the tests of a file can be, the narrowest place first."""
    file = PurePosixPath(path)
    if file.suffix != ".py":
        return [PurePosixPath("tests/test_docs.py")] if file.suffix in (".md", ".toml", ".svg") else []
    if file.parts[0] == "tests":
        return [file if file.name.startswith("test_") else file.parent]
    if file.parts[0] == "plugins":
        room = PurePosixPath("tests/plugins", file.parts[1].removeprefix(PLUGINS))
    else:
        room = PurePosixPath("tests", *file.parts[1:-1])
    exact = room / f"test_{file.stem.strip('_')}.py"
    return [exact] if room == PurePosixPath("tests") else [exact, room, room.parent]


def main(base: str) -> None:
    """Print each place once; one that another holds is left out."""
    nearest = {next(filter(_is_there, tests_of(path)), None) for path in changed_files(base)}
    for place in sorted(_without_inner(place for place in nearest if place)):
        print(place)


def _is_there(place: PurePosixPath) -> bool:
    return place not in (PurePosixPath("tests"), PurePosixPath("tests/benchmarks")) and Path(place).exists()


def _without_inner(places: Iterable[PurePosixPath]) -> list[PurePosixPath]:
    every = set(places)
    return [place for place in every if every.isdisjoint(place.parents)]


if __name__ == "__main__":
    main(sys.argv[1])

"""A walk over folders of images: links are followed wherever they lead, and every real file counts once."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from fersearch.data.folders import everything, is_folder, is_junk, is_surprising_junk
from fersearch.data.formats import is_image, lacking


class Walk:
    """Walks below a top folder, which may be done folder by folder; what a user should know adds up in `findings`.

    `others` is the number of files that are not images. `repeated` has every image that was reached again by another
    path, as (the first path, this path); `outside` those whose real file is not below the top.
    """

    def __init__(self, top: Path) -> None:
        self.top = top
        self.others = 0
        self.repeated: list[tuple[Path, Path]] = []
        self.outside: list[str] = []
        self._below_top = os.path.realpath(top).rstrip(os.sep) + os.sep
        self._left_out: dict[str, None] = {}
        self._lacking: Counter[tuple[str, str]] = Counter()
        self._first: dict[str, str] = {}

    def images(self, folder: Path) -> list[Path]:
        """Return every image in a folder and its subfolders that was not visited before, sorted.

        Raises:
            DataError: a folder may not be read.
        """
        return [Path(path) for path, real in self._files(folder) if self._is_new(path, real)]

    def pass_over(self, folder: Path) -> None:
        """Note the junk directly in a folder that is not itself walked."""
        for entry in everything(folder):
            if is_junk(entry.name):
                self._skip(entry)

    def findings(self) -> list[str]:
        """Return what a user should know about the walk so far, apart from files that are not images."""
        findings = []
        if self.outside:
            first = f"the first is {self.outside[0]}"
            findings.append(f"{_images(len(self.outside))} outside {self.top}, reached by links: {first}")
        if self.repeated:
            first = f"the first is {self.repeated[0][1]}, which is {self.repeated[0][0]}"
            findings.append(
                f"{len(self.repeated):,} links lead to images that are listed already, each counts once: {first}"
            )
        if self._left_out:
            shown = ", ".join(list(self._left_out)[:4]) + (" ..." if len(self._left_out) > 4 else "")
            findings.append(f"names that begin with @ # $ _, and thumbnails, are not images and were left out: {shown}")
        for (suffix, needed), n in self._lacking.items():
            findings.append(f"{n:,} {suffix} files cannot be decoded here and were left out: install {needed}")
        return findings

    def _files(self, folder: Path) -> Iterator[tuple[str, str]]:
        """Yield every image by its path and its real path; a folder that was entered before in this walk is
        skipped."""
        real = os.path.realpath(folder)
        entered, stack = {real}, [(iter(everything(folder)), real)]
        while stack:
            rest, real = stack[-1]
            entry = next(rest, None)
            if entry is None:
                stack.pop()
            elif is_junk(entry.name):
                self._skip(entry)
            else:
                where = os.path.realpath(entry.path) if entry.is_symlink() else os.path.join(real, entry.name)
                if not is_folder(entry):
                    if self._counts(entry.name):
                        yield entry.path, where
                elif where not in entered:
                    entered.add(where)
                    stack.append((iter(everything(Path(entry.path))), where))

    def _counts(self, name: str) -> bool:
        """Return whether a file is an image; if not, it is counted."""
        if is_image(name):
            return True
        if needed := lacking(name):
            self._lacking[os.path.splitext(name)[1].lower(), needed] += 1
        else:
            self.others += 1
        return False

    def _skip(self, entry: os.DirEntry[str]) -> None:
        if is_surprising_junk(entry.name) and (is_folder(entry) or is_image(entry.name)):
            self._left_out[entry.path] = None

    def _is_new(self, path: str, real: str) -> bool:
        if real in self._first:
            self.repeated.append((Path(self._first[real]), Path(path)))
            return False
        self._first[real] = path
        if not real.startswith(self._below_top):
            self.outside.append(path)
        return True


def images_below(folder: Path) -> tuple[list[Path], int]:
    """Return every image in a folder and its subfolders, sorted, and the number of other files."""
    walk = Walk(folder)
    return walk.images(folder), walk.others


def _images(n: int) -> str:
    return "1 image lies" if n == 1 else f"{n:,} images lie"

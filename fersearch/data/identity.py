"""Which data a study, a trial or a checkpoint is about: digests, counts and classes, and how they differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from fersearch.errors import DataError
from fersearch.formatting import plural, short

FILES_VERSION = 1  # of the rules in `digests`
SEEN_VERSION = 1
CLASSES = 12


@dataclass(frozen=True)
class Identity:
    """What identifies data; an empty digest is one that was not taken.

    `files` is the digest of the files' relative names and bytes, `file_count` their number. `arrays` is that of the
    prepared copy: every pixel and column, independent of a study. `seen` is the digest of what a trial sees
    under a study's options, targets, protocol and limit: class names, and the pixels, labels or votes, and
    subjects of train and of valid, in the order of the rows. `test` is the same of the test split, which no trial sees.
    `counts` has the images of each part, `makers` the versions that made arrays of the files, and `path` is
    where the files were.
    """

    files: str = ""
    arrays: str = ""
    seen: str = ""
    test: str = ""
    classes: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    file_count: int = 0
    makers: Mapping[str, str] = field(default_factory=dict)
    path: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return plain data, each digest with the version of its rule."""
        return {
            "files": {"version": FILES_VERSION, "digest": self.files, "count": self.file_count},
            "arrays": {"digest": self.arrays},
            "seen": {
                "version": SEEN_VERSION,
                "digest": self.seen,
                "test": self.test,
                "classes": list(self.classes),
                "counts": dict(self.counts),
            },
            "makers": dict(self.makers),
            "path": self.path,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return what `to_json` wrote; a digest by a rule of another version is left empty, since it cannot be
        compared."""
        files, seen = data.get("files", {}), data.get("seen", {})
        is_known = seen.get("version") == SEEN_VERSION
        return cls(
            files=files.get("digest", "") if files.get("version") == FILES_VERSION else "",
            arrays=data.get("arrays", {}).get("digest", ""),
            seen=seen.get("digest", "") if is_known else "",
            test=seen.get("test", "") if is_known else "",
            classes=tuple(seen.get("classes", ())),
            counts=dict(seen.get("counts", {})),
            file_count=int(files.get("count", 0)),
            makers=dict(data.get("makers", {})),
            path=str(data.get("path", "")),
        )

    @property
    def unplaced(self) -> Self:
        """Return the identity without the path, for what leaves this machine."""
        return replace(self, path="")

    def agrees(self, other: "Identity") -> bool:
        """Return whether it is the same data, for trials and for the test split.

        Where one of the two was never divided into parts, the arrays decide, or else the files; true where
        nothing can be compared.
        """
        if self.seen and other.seen:
            return (self.seen, self.test) == (other.seen, other.test)
        if self.arrays and other.arrays:
            return self.arrays == other.arrays
        return self.files == other.files or not (self.files and other.files)

    def same_arrays(self, other: "Identity") -> bool:
        """Return whether both were made of the same arrays, however they are divided; true where that is not known."""
        return self.arrays == other.arrays or not (self.arrays and other.arrays)

    def describe(self) -> str:
        """Return counts, classes and digests on one line."""
        parts = [f"{count:,} {part}" for part, count in self.counts.items() if count]
        names = ", ".join(self.classes[:CLASSES])
        more = f" and {len(self.classes) - CLASSES} more" if len(self.classes) > CLASSES else ""
        lines = [f"images: {', '.join(parts)}"] if parts else []
        lines += [f"{len(self.classes)} classes: {names}{more}"] if self.classes else []
        digest = self.seen or self.arrays
        lines += [f"{'seen' if self.seen else 'arrays'} {short(digest)}"] if digest else []
        lines += [f"files {short(self.files)} ({self.file_count:,})"] if self.files and self.file_count else []
        return "; ".join(lines) or "not recorded"


def difference(what: str, then: Identity, now: Identity, ways_out: Sequence[str]) -> DataError:
    """Return the error that data has changed: both identities, and the cause where only what reads the files
    differs."""
    lines = [f"then: {then.describe()}", f"now:  {now.describe()}"]
    if then.seen and then.seen == now.seen:
        lines.append(f"only the test split differs: then {short(then.test)}, now {short(now.test)}")
    if then.files and then.files == now.files and (then.file_count or then.makers != now.makers):
        lines.append(f"the files are the same, so what reads them has changed: {changed_makers(then, now)}")
    return DataError(f"{what}\n  " + "\n  ".join(lines), "\n  ".join(ways_out))


def changed_makers(then: Identity, now: Identity) -> str:
    """Return the versions that differ between two readings of the same files."""
    names = dict.fromkeys((*then.makers, *now.makers))
    known = [(name, then.makers.get(name, "none"), now.makers.get(name, "none")) for name in names]
    changed = [f"{name} {before} -> {after}" for name, before, after in known if before != after]
    if not then.makers:
        return "the versions that read them then were not recorded"
    return ", ".join(changed) or "no package has another version, so look at the dataset's plugin"


def described(record: Mapping[str, Any]) -> list[str]:
    """Return the data of a study as its row records it: path, images and classes, digests; one line each."""
    if not record.get("seen"):
        return []
    known = Identity.from_json(record)
    earlier = len(record.get("earlier", ()))
    lines = [known.path] if known.path else []
    lines.append(known.describe())
    if known.makers:
        lines.append(f"read by {', '.join(f'{name} {version}' for name, version in known.makers.items())}")
    return [*lines, *([f"{plural(earlier, 'earlier set')} of data, whose trials are not compared"] if earlier else [])]

"""Drawn faces: ten expressions of schematic people, made on demand, so that everything can be tried offline.

They are drawings, and results on them do not carry over to real faces.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fersearch import Dataset, Float, Int, Labels, Raw, hookimpl
from fersearch.space import Value

if TYPE_CHECKING:
    from fersearch.data.images import Pixels
    from fersearch_datasets._people import Block

PARTS = ("train", "valid", "test")


class Faces(Dataset):
    """Synthetic drawings with labels, ten votes each, subjects and a split without a shared subject."""

    name = "faces"
    summary = "synthetic drawings, not faces: numbers say nothing about real data"
    licence = "Synthetic drawings by fersearch (Apache-2.0), not faces: numbers say nothing about real data."
    needs_data = False
    decoding = {
        **Dataset.decoding,
        "train": Int(10, 10_000_000, search="4000"),
        "valid": Int(10, 10_000_000, search="1000"),
        "test": Int(10, 10_000_000, search="1000"),
        "hardness": Float(0.0, 2.0, search="0.5"),
        "seed": Int(0, 2**31 - 1, search="0"),
    }
    targets = ("majority", "crossentropy", "probability", "multi_target")

    def files(self, source: Path) -> Sequence[Path]:
        return []

    def read(self, source: Path, options: Mapping[str, Value]) -> Raw:
        import numpy as np

        from fersearch_datasets._people import CLASSES

        sizes = [int(options[part]) for part in PARTS]
        drawn = [_people(list(_blocks(options, part)), size) for part, size in zip(PARTS, sizes, strict=True)]
        columns = {name: np.concatenate([part[name] for part in drawn]) for name in drawn[0]}
        columns["split"] = np.repeat(np.arange(3, dtype=np.int8), sizes)
        columns["name"] = np.array([f"{part}-{k:06d}" for part, n in zip(PARTS, sizes, strict=True) for k in range(n)])
        images = chain.from_iterable(_pictures(options, part) for part in PARTS)
        return Raw(sum(sizes), images, columns, CLASSES)

    def steps(self, options: Mapping[str, Value]) -> list[dict[str, Any]] | None:
        return super().steps(options)  # its own options affect the drawings, and cut nothing

    def label(self, columns: Mapping[str, Any], class_names: Sequence[str], params: Mapping[str, Value]) -> Labels:
        from fersearch_datasets._votes import distribution, several

        rule = several if params["target"] == "multi_target" else distribution
        soft = None if params["target"] == "majority" else rule(columns["votes"])
        return Labels(tuple(class_names), columns["label"], columns["split"], soft, columns["subject"])


def _blocks(options: Mapping[str, Value], part: str) -> "Iterator[Block]":
    """Yield the figures of every block that holds images of a part."""
    from fersearch_datasets._people import BLOCK, block

    for index in range(-(-int(options[part]) // BLOCK)):
        yield block(int(options["seed"]), part, index, float(options["hardness"]))


def _people(blocks: "Sequence[Block]", size: int) -> dict[str, Any]:
    import numpy as np

    subjects = np.concatenate([block.subjects for block in blocks])[:size]
    return {
        "label": np.concatenate([block.labels for block in blocks])[:size],
        "votes": np.concatenate([block.votes for block in blocks])[:size],
        "subject": np.char.add("person-", subjects.astype(str)),
    }


def _pictures(options: Mapping[str, Value], part: str) -> "Iterator[Pixels]":
    """Draw the images of a part, blocks side by side on all cores."""
    from concurrent.futures import ThreadPoolExecutor
    from itertools import islice
    from os import cpu_count

    from fersearch.data.images import chunks, fit
    from fersearch_datasets._drawing import draw

    with ThreadPoolExecutor() as pool:
        batches = chunks(_blocks(options, part), cpu_count() or 1)
        drawn = chain.from_iterable(image for batch in batches for image in pool.map(draw, batch))
        for pixels in islice(drawn, int(options[part])):
            yield fit(pixels, int(options["image_size"]), int(options["channels"]))


@hookimpl
def register_datasets(register: Any) -> None:
    """Register the drawn faces."""
    register(Faces())

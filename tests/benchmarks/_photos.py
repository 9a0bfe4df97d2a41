"""Many large colour images, as noise: what the memory benchmark trains on."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fersearch import Choice, Dataset, Int, Labels, Raw, hookimpl

CLASSES = tuple(f"class{number}" for number in range(7))


class Photos(Dataset):
    """`count` images of noise, a fifth of them for validation."""

    name = "photos"
    licence = "drawn for a benchmark"
    needs_data = False
    decoding = {
        "image_size": Int(8, 1024, search="224"),
        "channels": Choice(1, 3, search="3"),
        "count": Int(10, 1_000_000, search="20000"),
    }

    def files(self, source: Path) -> Sequence[Path]:
        return []

    def read(self, source: Path, options: Mapping[str, Any]) -> Raw:
        import numpy as np

        count, shape = options["count"], (options["channels"], options["image_size"], options["image_size"])

        def images() -> Iterator[Any]:
            random = np.random.default_rng(0)
            for _ in range(count):
                yield np.frombuffer(random.bytes(int(np.prod(shape))), np.uint8).reshape(shape)

        return Raw(count, images(), {"label": np.arange(count) % len(CLASSES)}, CLASSES)

    def label(self, columns: Mapping[str, Any], class_names: Sequence[str], params: Mapping[str, Any]) -> Labels:
        import numpy as np

        hard = np.asarray(columns["label"])
        return Labels(tuple(class_names), hard, (np.arange(len(hard)) % 5 == 4).astype(np.int8))


@hookimpl
def register_datasets(register: Any) -> None:
    """Bring the noise."""
    register(Photos())

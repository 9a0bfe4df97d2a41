"""Access to a dataset by name: its files, checked options, and prepared copy."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fersearch.components import Dataset
from fersearch.context import components
from fersearch.data import arrays
from fersearch.data.locate import locate, remember
from fersearch.data_findings import Progress
from fersearch.errors import DataError
from fersearch.home import prepared_folder
from fersearch.planning.mistakes import Mistakes
from fersearch.planning.parts import dataset_options
from fersearch.space import Value


def prepared_dataset(
    name: str, data: Path | None, options: Mapping[str, str], progress: Progress | None, plugins: tuple[Path, ...]
) -> tuple[Dataset, Path | None, dict[str, Value], Any]:
    """Return a dataset, the path of its files, its options, and its prepared copy, created if needed."""
    dataset = components(plugins).dataset(name)
    mistakes = Mistakes()
    values = dataset_options(dataset, options, mistakes)
    mistakes.settle()
    source = locate(dataset, data)
    prepared = arrays.prepare(dataset, source, values, prepared_folder(), progress)
    if data is not None and source is not None:
        remember(dataset, data)
    return dataset, source, values, prepared


def files_of(dataset: Dataset) -> str | None:
    """Return the path of a dataset's files, or `built in`; None if they are not here."""
    if not dataset.needs_data:
        return "built in"
    try:
        source = locate(dataset)
        if source is not None:
            dataset.files(source)
    except DataError:
        return None
    return str(source)

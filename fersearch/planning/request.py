"""The request for a study, before it is checked."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class StudyRequest:
    """The request for a study as given; fields that were not given are None.

    `settings` and `dataset_options` are texts in the language of `--set`. `lenient` names settings of a
    file that flags were given over: they are left out where the flags made them inapplicable. With `one_study`,
    `architecture` names several, separated by commas.
    """

    architecture: str
    dataset: str
    name: str | None = None
    data: Path | None = None
    dataset_options: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    lenient: Container[str] = ()
    objectives: Sequence[str] = ()
    trials: int | None = None
    timeout: float | None = None
    epochs: str | None = None
    limit: int | None = None
    seed: int | None = None
    sampler: str | None = None
    pruner: str | None = None
    recipes: str | None = None
    weights: str | None = None
    precision: str | None = None
    memory_format: str | None = None
    latency_on: str | None = None
    split: str | None = None
    ratios: tuple[float, float, float] | None = None
    split_seed: int | None = None
    by: str | None = None
    folds: int | None = None
    repeats: int | None = None
    duplicates: str | None = None
    refit: int | None = None
    unseen: Sequence[str] = ()
    where: Sequence[str] = ()
    stop_when_flat: int | None = None
    from_study: str | None = None
    keep: str | None = None
    one_study: bool | None = None

    @property
    def architectures(self) -> tuple[str, ...]:
        """The names of the architectures: several only in one study over them."""
        return tuple(map(str.strip, self.architecture.split(","))) if self.one_study else (self.architecture,)

"""Records of datasets, plugins and the machine."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field

from fersearch.api.records.base import Number, Part, Record, Value, omitted

if TYPE_CHECKING:
    from pathlib import Path

    from fersearch.api.results import Check, DatasetRow, DatasetView, Exported, PluginRow, PluginView, Report


class Dataset(Record):
    """A dataset as `dataset list` gives it."""

    name: str
    summary: str
    licence: str
    found: str | None = Field(description="Where its files are; null where they are missing")

    @classmethod
    def of(cls, row: "DatasetRow") -> Self:
        """Return the record of a dataset in a list."""
        return cls(name=row.name, summary=row.summary, licence=row.licence, found=row.source)


class Split(Part):
    """The images of one split."""

    n: int
    per_class: dict[str, int]
    baseline: Number = Field(description="Accuracy of always predicting the largest class of train")


class DatasetDetail(Record):
    """A dataset after filtering."""

    name: str
    summary: str
    classes: list[str]
    splits: dict[str, Split]
    target: str
    options: dict[str, Value]
    licence: str
    source: str | None
    findings: list[str]
    sources: dict[str, dict[str, Any]] | None = omitted("Contribution of each dataset of merged data")

    @classmethod
    def of(cls, view: "DatasetView") -> Self:
        """Return the record of one dataset."""
        splits = {
            name: Split(n=part["n"], per_class=dict(part["per_class"]), baseline=part["baseline"])
            for name, part in view.splits.items()
        }
        return cls(
            name=view.name,
            summary=view.summary,
            classes=list(view.classes),
            splits=splits,
            target=view.target,
            options=dict(view.options),
            licence=view.licence,
            source=view.source,
            findings=list(view.findings),
            sources={name: dict(facts) for name, facts in view.sources.items()} or None,
        )


class NearDuplicates(Part):
    """Pairs of images that are nearly equal, one in each of two splits, or both in one."""

    splits: tuple[str, str]
    pairs: int
    mirrored: int = Field(description="Pairs in which one image mirrors the other")
    images: int = Field(description="Images of the second split with a duplicate in the first")
    examples: list[tuple[str, str]] = Field(description="Image names, in the order of the splits")


class DatasetCheck(Record):
    """The result of verifying a dataset."""

    dataset: str
    classes: list[str]
    splits: dict[str, Any]
    rows: list[list[Any]]
    findings: list[str]
    near_duplicates: list[NearDuplicates] = Field(default=[], description="Near-duplicates by pair of splits")

    @classmethod
    def of(cls, report: "Report") -> Self:
        """Return the record of a verification."""
        return cls(**report.to_json())


class PreparedDataset(Record):
    """The folder of a dataset's prepared copy."""

    name: str
    path: str

    @classmethod
    def of(cls, name: str, folder: "Path") -> Self:
        """Return the record of a prepared dataset."""
        return cls(name=name, path=str(folder))


class ExportedDataset(Record):
    """A dataset written as files."""

    name: str
    path: str
    n: int
    splits: dict[str, int]

    @classmethod
    def of(cls, name: str, exported: "Exported") -> Self:
        """Return the record of an exported dataset."""
        return cls(name=name, path=str(exported.path), n=exported.n, splits=dict(exported.splits))


class Plugin(Record):
    """A component as `plugin list` gives it."""

    kind: str
    name: str
    module: str
    summary: str

    @classmethod
    def of(cls, row: "PluginRow") -> Self:
        """Return the record of a component in a list."""
        return cls(kind=row.kind, name=row.name, module=row.module, summary=row.summary)


class PluginDetail(Record):
    """A component."""

    kind: str
    name: str
    module: str
    summary: str
    space: dict[str, str] = Field(description="Parameters that it adds to the search space")
    details: dict[str, str]
    parameters: dict[str, int] | None = omitted("Parameter counts of an architecture: total and trainable")
    layers: list[dict[str, Any]] | None = omitted("Layers of an architecture")

    @classmethod
    def of(cls, view: "PluginView") -> Self:
        """Return the record of one component; an architecture's parameters are counted."""
        return cls(
            kind=view.kind,
            name=view.name,
            module=view.module,
            summary=view.summary,
            space=dict(view.space),
            details=dict(view.details),
            parameters=None if view.parameters is None else dict(view.parameters),
            layers=[asdict(layer) for layer in view.layers] or None,
        )


class SystemCheck(Record):
    """One check of `doctor`."""

    name: str
    level: str = Field(description="ok, warn or fail")
    told: str
    hint: str = Field(description="Suggested fix")
    facts: dict[str, Any]

    @classmethod
    def of(cls, check: "Check") -> Self:
        """Return the record of a check."""
        return cls(name=check.name, level=check.level, told=check.message, hint=check.hint, facts=dict(check.facts))

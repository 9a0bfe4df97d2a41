"""Base classes and fields of records."""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from fersearch.formatting import finite

Number = int | float | None
"""A metric's value; null where it is not finite."""
Value = bool | int | float | str


class Part(BaseModel):
    """A part of a record: frozen, and without undeclared names."""

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)


class Record(Part):
    """A thing as JSON."""

    schema_: Literal[1] = Field(default=1, alias="schema", description="The version of the record's names")


def omitted(description: str, **options: Any) -> Any:
    """Return a field that is left out of the JSON while it is None."""
    return Field(default=None, description=description, exclude_if=lambda value: value is None, **options)


def plain(record: Record | Sequence[Record]) -> Any:
    """Return records as plain JSON data: times as ISO 8601 text, NaN and infinity as None."""
    if isinstance(record, Record):
        return finite(record.model_dump(mode="json"))
    return [plain(one) for one in record]

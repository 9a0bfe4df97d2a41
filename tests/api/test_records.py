"""The JSON records, each held to a file: names that scripts rely on stay."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from fersearch.api import records
from tests.api.record_examples import EXAMPLES

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_record_is_what_its_file_holds(name: str) -> None:
    """Write the file anew only with a name that was added: `json.dumps(plain(example), indent=2)`."""
    assert records.plain(EXAMPLES[name]()) == json.loads((GOLDEN / f"{name}.json").read_text())


def test_each_record_has_a_file_and_each_file_a_record() -> None:
    kinds = {type(one) for make in EXAMPLES.values() for one in _listed(make())}
    assert kinds == {kind for kind in vars(records).values() if isinstance(kind, type)} - {records.Record}
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_record_fits_its_own_schema_and_is_read_back(name: str) -> None:
    for one in _listed(EXAMPLES[name]()):
        described = type(one).model_json_schema(mode="serialization")
        plain = records.plain(one)
        assert set(plain) <= set(described["properties"])
        assert next(iter(plain.items())) == ("schema", 1)
        assert records.plain(type(one).model_validate(plain)) == plain


def test_a_record_is_frozen_and_refuses_names_that_nobody_described() -> None:
    one = records.StudyStop(name="a", stopping=False)
    with pytest.raises(ValidationError):
        one.name = "b"  # type: ignore[misc]
    with pytest.raises(ValidationError):
        records.StudyStop.model_validate({"name": "a", "stopping": False, "more": 1})


def _listed(made: "records.Record | list[records.Record]") -> list[records.Record]:
    return made if isinstance(made, list) else [made]

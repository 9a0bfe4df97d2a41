"""Values of earlier versions are read under the names of this one."""

from typing import Any

import pytest

from fersearch.data.preprocess import STEPS
from fersearch.former_names import PREPROCESSING, with_current_names


def test_every_former_name_leads_to_one_of_this_version() -> None:
    assert set(PREPROCESSING.values()) <= STEPS.keys()
    assert not PREPROCESSING.keys() & STEPS.keys()


@pytest.mark.parametrize(
    ("stored", "current"),
    [
        ({"preprocess": "ferplus"}, {"preprocess": "illumination"}),
        ({"preprocess": "equalize"}, {"preprocess": "equalize"}),
        ({"preprocess": {"options": ["none", "ferplus"]}}, {"preprocess": {"options": ["none", "illumination"]}}),
        ([{"step": "preprocess", "name": "ferplus"}], [{"step": "preprocess", "name": "illumination"}]),
        ({"dataset": "ferplus", "name": "ferplus"}, {"dataset": "ferplus", "name": "ferplus"}),
        ({"preprocess": None, "n": [1, 2.5, True]}, {"preprocess": None, "n": [1, 2.5, True]}),
    ],
)
def test_only_preprocessing_is_renamed(stored: Any, current: Any) -> None:
    assert with_current_names(stored) == current
    assert with_current_names(current) == current

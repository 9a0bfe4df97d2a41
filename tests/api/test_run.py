"""What a run of a study refuses before it touches anything."""

import pytest

from fersearch import api
from fersearch.errors import UsageError


def test_a_silence_that_says_nothing_is_refused():
    with pytest.raises(UsageError) as refused:
        api.run_study("none", hung_after=1.0)
    assert (refused.value.message, refused.value.hint) == (
        "--hung-after 1 s is too short: a trial gives a sign of life about once a second",
        "give 3s or more, or 0 for never",
    )

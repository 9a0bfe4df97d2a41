"""A study hurt in every way at random ends like one left alone."""

import pytest

from tests.faults import soak
from tests.postgres import Unavailable

pytestmark = [pytest.mark.slow, pytest.mark.long]
SOUND = {
    "trials": 12,
    "trials lost": 0,
    "trials without a final state": 0,
    "trials that did not end as undisturbed": 0,
    "epochs missing or doubled": 0,
    "fronts differ": False,
    "checkpoints torn": 0,
    "checkpoints missing": 0,
    "checkpoints orphaned": 0,
    "files of unfinished writes": 0,
}


@pytest.mark.parametrize("storage", ["sqlite", "postgresql"])
def test_nothing_is_lost_or_doubled(storage, tmp_path):
    try:
        found = soak.soak(tmp_path, trials=12, slots=3, storage=storage, seconds=400.0)
    except Unavailable as reason:
        pytest.skip(str(reason))
    assert sum(found["faults"].values()) > 0
    assert {name: found[name] for name in SOUND} == SOUND

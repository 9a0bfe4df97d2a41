"""Studies hurt in every way at random, alone in a home and two together, end like ones left alone."""

import pytest

from tests.faults import soak
from tests.postgres import Unavailable

pytestmark = [pytest.mark.slow, pytest.mark.long]
SOUND = {
    "trials lost": 0,
    "trials without a final state": 0,
    "trials that did not end as undisturbed": 0,
    "epochs missing or doubled": 0,
    "fronts that differ": 0,
    "checkpoints torn": 0,
    "checkpoints missing": 0,
    "checkpoints orphaned": 0,
    "files of unfinished writes": 0,
    "states left over": 0,
}


@pytest.mark.parametrize("storage", ["sqlite", "postgresql"])
@pytest.mark.parametrize(("together", "studies"), [("one", 1), ("studies", 2), ("databases", 2)])
def test_nothing_is_lost_or_doubled(storage, together, studies, tmp_path):
    trials = 12 // studies
    try:
        result = soak.soak(tmp_path, trials=trials, slots=3, storage=storage, together=together, seconds=600.0)
    except Unavailable as reason:
        pytest.skip(str(reason))
    assert sum(result["faults"].values()) > 0
    assert {name: result[name] for name in ("trials", *SOUND)} == {"trials": 12, **SOUND}

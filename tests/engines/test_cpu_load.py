"""What other processes take of the CPU during a trial."""

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from fersearch.engines.cpu_load import CpuTimes, OtherLoad, cpu_times

BURN = "import time\nwhile time.process_time() < {}: pass"


def read(*times: CpuTimes | None) -> Iterator[CpuTimes | None]:
    return iter(times)


def test_the_share_is_what_is_busy_and_not_ours() -> None:
    notes: list[str] = []
    times = read(CpuTimes(100, 2, 50, 20), CpuTimes(110, 2, 68, 30), CpuTimes(110, 2, 68, 30), CpuTimes(120, 2, 88, 40))
    load = OtherLoad(notes.append, lambda: next(times))
    load.join(3)
    assert load.leave(3) == {"other_cpu_share": 0.4}
    load.join(4)
    assert load.leave(4) == {"other_cpu_share": 0.5}
    assert len(notes) == 1
    assert notes[0].startswith("other processes kept 40% of 2 cores busy while trial 3 ran")


def test_what_is_not_known_is_not_reported() -> None:
    notes: list[str] = []
    load = OtherLoad(notes.append, lambda: None)
    load.join(1)
    assert load.leave(1) == load.leave(2) == {}
    alone = read(CpuTimes(0, 4, 0, 0), CpuTimes(10, 4, 10, 10.4))
    load = OtherLoad(notes.append, lambda: next(alone))
    load.join(1)
    assert load.leave(1) == {"other_cpu_share": 0.0}
    assert notes == []


@pytest.mark.skipif(sys.platform != "linux", reason="other systems count otherwise")
def test_a_child_counts_as_ours_also_once_it_has_ended() -> None:
    before = cpu_times()
    subprocess.run([sys.executable, "-c", BURN.format(0.3)], check=True)
    after = cpu_times()
    assert before is not None
    assert after is not None
    assert after.ours - before.ours > 0.2
    assert after.busy - before.busy > 0.2
    assert after.clock > before.clock
    assert time.monotonic() >= after.clock

"""What other processes take of the CPU during a trial."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from fersearch.engines.cpu_load import CpuTimes, OtherLoad, OtherLoadNote, cpu_times
from fersearch.engines.driver import advice
from fersearch.run_options import RunOptions

BURN = "import time\nwhile time.process_time() < {}: pass"


def read(*times: CpuTimes | None) -> Iterator[CpuTimes | None]:
    return iter(times)


def test_the_share_is_what_is_busy_and_not_ours() -> None:
    times = read(CpuTimes(100, 2, 50, 20), CpuTimes(110, 2, 68, 30), CpuTimes(110, 2, 68, 30), CpuTimes(120, 2, 88, 40))
    load = OtherLoad(lambda: next(times))
    load.join(3)
    assert load.leave(3) == {"other_cpu_share": 0.4}
    load.join(4)
    assert load.leave(4) == {"other_cpu_share": 0.5}


def test_what_is_not_known_is_not_reported() -> None:
    load = OtherLoad(lambda: None)
    load.join(1)
    assert load.leave(1) == load.leave(2) == {}
    alone = read(CpuTimes(0, 4, 0, 0), CpuTimes(10, 4, 10, 10.4))
    load = OtherLoad(lambda: next(alone))
    load.join(1)
    assert load.leave(1) == {"other_cpu_share": 0.0}


def test_the_first_trial_that_was_disturbed_is_noted_with_what_to_do() -> None:
    notes: list[str] = []
    about = OtherLoadNote(notes.append, advice("s", RunOptions()))
    for trial, share in enumerate((0.0, 0.09, 0.4, 0.5)):
        about.look(trial, {"other_cpu_share": share})
    about.look(4, {})
    assert notes == [
        "other processes kept 40% of the CPU busy while trial 2 ran: wall seconds are not comparable then, cpu_seconds "
        "nearly are; to time the front alone: fersearch study run s --exclusive-timing"
    ]
    OtherLoadNote(notes.append).look(5, {"other_cpu_share": 1.0, "node": "n2"})
    assert notes[1].startswith("other processes kept 100% of the CPU of n2 busy while trial 5 ran: ")
    assert notes[1].endswith("cpu_seconds nearly are")


@pytest.mark.parametrize(
    ("study", "timed"), [("finish/s", False), ("refit/s", False), ("s", True)], ids=["finish", "refit", "timed anyway"]
)
def test_timing_alone_is_advised_only_where_it_would_be_done(study: str, timed: bool) -> None:
    assert advice(study, RunOptions(exclusive_timing=timed)) == ""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems count otherwise")
def test_a_child_counts_as_ours_also_once_it_has_ended() -> None:
    # In a process of its own: this one may have other children, whose end takes their seconds away.
    code = f"""
import subprocess, sys, time
from fersearch.engines.cpu_load import cpu_times
before = cpu_times()
subprocess.run([sys.executable, "-c", {BURN.format(0.3)!r}], check=True)
after = cpu_times()
assert after.ours - before.ours > 0.2
assert after.busy - before.busy > 0.2
assert after.clock > before.clock
assert time.monotonic() >= after.clock
"""
    done = subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="other systems count otherwise")
def test_another_process_is_ours_where_its_parent_is_named() -> None:
    command = [sys.executable, "-c", f"import time\n{BURN.format(0.3)}\nprint(flush=True)\ntime.sleep(60)"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        times = cpu_times(child.pid)
        child.kill()
    assert times is not None
    assert 0.2 < times.ours < 3
    assert cpu_times(child.pid) is None

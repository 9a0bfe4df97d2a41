"""Trials that stop where they are, by themselves or because a scheduler says so, end as if nothing had happened."""

import os
import signal
import time

import psutil
import pytest

from tests.faults.conftest import Home
from tests.faults.test_kills import sound, values

pytestmark = pytest.mark.slow(seconds=90)

PATIENCE = 300.0  # seconds; on a busy machine a trial starts late
MANY_STEPS = {"batch_size": "8"}  # 16 in an epoch
SLOW = {"SLOW_SECONDS": "0.4", "SLOW_AFTER": "16"}  # from the second epoch on


def everything(driver: int) -> list[int]:
    """The processes of a job, as a scheduler that preempts it finds them."""
    return [driver, *(process.pid for process in psutil.Process(driver).children(recursive=True))]


def ends(home: Home) -> list[list[tuple[str, str]]]:
    """Reason and message of each attempt, by trial."""
    rows = home.rows("SELECT trial, reason, message FROM attempts ORDER BY trial, number")
    return [[row[1:] for row in rows if row[0] == trial] for trial in sorted({row[0] for row in rows})]


def test_a_trial_that_hangs_is_detected_and_runs_again(home: Home, undisturbed):
    home.create(trials=2, epochs=3, **MANY_STEPS)
    driver = home.fork("study", "run", "s", "--slots", "1", "--hung-after", "8s")
    pid = home.until(home.running_pids, seconds=PATIENCE)[0]
    os.kill(pid, signal.SIGSTOP)
    out, err = driver.communicate(timeout=PATIENCE)
    assert driver.returncode == 0, out + err
    assert home.gone([pid])
    sound(home.trials(), 2, 3)
    (hung, done), other = ends(home)
    assert (hung[0], done[0], [reason for reason, _ in other]) == ("hung", "done", ["done"])
    assert hung[1].startswith("the process sent no heartbeat for 8.0s, after epoch ")
    assert values(home.trials()) == values(undisturbed(2, 3, **MANY_STEPS))


@pytest.mark.parametrize("whom", ["driver", "everything"])
def test_sigterm_saves_in_the_middle_of_an_epoch_and_the_study_goes_on_there(home: Home, undisturbed, whom):
    home.create(trials=2, epochs=3, **MANY_STEPS)
    driver = home.fork("study", "run", "s", "--slots", "1", "--grace", "60s", **SLOW)
    home.until(home.running_pids, seconds=PATIENCE)
    time.sleep(1.5)
    for pid in everything(driver.pid) if whom == "everything" else [driver.pid]:
        os.kill(pid, signal.SIGTERM)
    out, err = driver.communicate(timeout=PATIENCE)
    assert driver.returncode == 130, out + err
    assert "each trial saves where it is, within 1m 00s" in err + out
    assert "fersearch study run s" in err
    assert "Traceback" not in err
    assert ends(home) == [[("preempted", "saved inside epoch 2")]]
    assert [trial["state"] for trial in home.trials()] == ["waiting"]
    assert home.run("study", "run", "s", "--slots", "1").returncode == 0
    sound(home.trials(), 2, 3)
    assert values(home.trials()) == values(undisturbed(2, 3, **MANY_STEPS))


def test_a_trial_that_does_not_leave_is_ended_after_the_grace_and_loses_no_epoch(home: Home, undisturbed):
    home.create(trials=2, epochs=3, **MANY_STEPS)
    driver = home.fork("study", "run", "s", "--slots", "1", "--grace", "1s", **SLOW)
    pid = home.until(home.running_pids, seconds=PATIENCE)[0]
    os.kill(pid, signal.SIGSTOP)
    driver.terminate()
    out, err = driver.communicate(timeout=PATIENCE)
    assert driver.returncode == 130, out + err
    assert ends(home) == [[("preempted", "it had not exited 1.0s after the request to stop")]]
    assert home.gone([pid])
    assert home.run("study", "run", "s", "--slots", "1").returncode == 0
    sound(home.trials(), 2, 3)
    assert values(home.trials()) == values(undisturbed(2, 3, **MANY_STEPS))


def test_sigterm_to_one_trial_saves_it_and_it_goes_on(home: Home, undisturbed):
    home.create(trials=2, epochs=3, **MANY_STEPS)
    driver = home.fork("study", "run", "s", "--slots", "1")
    os.kill(home.until(home.running_pids, seconds=PATIENCE)[0], signal.SIGTERM)
    out, err = driver.communicate(timeout=PATIENCE)
    assert driver.returncode == 0, out + err
    sound(home.trials(), 2, 3)
    assert [[reason for reason, _ in attempts] for attempts in ends(home)] == [["preempted", "done"], ["done"]]
    assert values(home.trials()) == values(undisturbed(2, 3, **MANY_STEPS))

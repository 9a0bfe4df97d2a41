"""Processes die, and nothing is lost: every trial ends once, every epoch counts once."""

import os
import signal
import time
from functools import partial

import psutil
import pytest

from fersearch import api
from tests.faults.conftest import Home, interrupt

pytestmark = pytest.mark.slow(seconds=30)


def sound(trials, count, epochs):
    """Every trial complete, its epochs counted once each."""
    assert [trial["state"] for trial in trials] == ["complete"] * count
    for trial in trials:
        assert [row["epoch"] for row in trial["history"]] == list(range(1, epochs + 1))
        assert trial["epochs"] == epochs


def values(trials):
    return [(trial["params"], trial["values"]["f1_macro"], trial["values"]["parameters"]) for trial in trials]


def test_a_killed_trial_runs_again_from_its_last_checkpoint(home: Home):
    home.create(trials=3, epochs=6)
    driver = home.fork("study", "run", "s", "--slots", "2")
    pid = home.until(home.running_pids)[0]
    os.kill(pid, signal.SIGKILL)
    out, err = driver.communicate(timeout=120)
    assert driver.returncode == 0, out + err
    trials = home.trials()
    sound(trials, 3, 6)
    reasons = [[attempt["reason"] for attempt in trial["attempts"]] for trial in trials]
    assert sorted(reasons) == [["done"], ["done"], ["killed", "done"]]


def test_a_trial_that_gets_further_each_time_may_be_killed_more_than_three_times(home: Home):
    """Inside one long epoch: what counts as progress is the state that each attempt saves after a second."""
    home.create(trials=1, epochs=1, batch_size="4")
    driver = home.fork("study", "run", "s", "--slots", "1", SLOW_SECONDS="0.3")
    for number in range(1, 5):
        query = f"SELECT pid FROM attempts WHERE number = {number} AND facts LIKE '%saved%'"
        os.kill(home.until(partial(home.rows, query))[0][0], signal.SIGKILL)
    out, err = driver.communicate(timeout=120)
    assert driver.returncode == 0, out + err
    trials = home.trials()
    sound(trials, 1, 1)
    assert [attempt["reason"] for attempt in trials[0]["attempts"]] == ["killed"] * 4 + ["done"]


def test_a_trial_that_is_killed_in_its_rehearsal_rehearses_again(home: Home):
    home.create(trials=1, epochs=1, memory_format="auto")
    driver = home.fork("study", "run", "s", "--slots", "1", SLOW_SECONDS="0.2")
    query = "SELECT pid FROM attempts WHERE number = 1 AND pid IS NOT NULL"
    os.kill(home.until(partial(home.rows, query))[0][0], signal.SIGKILL)
    out, err = driver.communicate(timeout=120)
    assert driver.returncode == 0, out + err
    (trial,) = home.trials()
    assert [attempt["reason"] for attempt in trial["attempts"]] == ["killed", "done"]
    assert ["rehearsal" in attempt["facts"] for attempt in trial["attempts"]] == [False, True]


def test_a_killed_fork_server_fails_no_trial(home: Home):
    home.create(trials=3, epochs=6)
    driver = home.fork("study", "run", "s", "--slots", "2")
    pid = home.until(home.running_pids)[0]
    os.kill(psutil.Process(pid).ppid(), signal.SIGKILL)
    out, err = driver.communicate(timeout=120)
    assert driver.returncode == 0, out + err
    trials = home.trials()
    sound(trials, 3, 6)
    ended = [(attempt["reason"], attempt["facts"].get("lost")) for trial in trials for attempt in trial["attempts"]]
    assert set(ended) == {("done", None), ("interrupted", "server")}


def test_a_killed_driver_leaves_nothing_running_and_the_study_goes_on_at_once(home: Home):
    home.create(trials=3, epochs=6)
    driver = home.fork("study", "run", "s", "--slots", "2")
    pids = home.until(home.running_pids)
    driver.kill()
    driver.communicate()
    home.until(lambda: home.gone(pids), seconds=1.0)
    done = home.run("study", "run", "s", "--slots", "2")
    assert done.returncode == 0, done.stderr
    trials = home.trials()
    sound(trials, 3, 6)
    ended = {(attempt["reason"], attempt["facts"].get("lost")) for trial in trials for attempt in trial["attempts"]}
    assert ended == {("done", None), ("interrupted", "driver")}


def test_one_ctrl_c_saves_and_says_how_to_go_on(home: Home):
    home.create(trials=3, epochs=6)
    driver = home.start("study", "run", "s", "--slots", "2")
    home.until(home.running_pids)
    interrupt(driver)
    _, err = driver.communicate(timeout=60)
    assert driver.returncode == 130
    assert "fersearch study run s" in err
    assert "Traceback" not in err
    states = {trial["state"] for trial in home.trials()}
    assert "running" not in states
    assert "waiting" in states
    assert home.run("study", "run", "s").returncode == 0
    trials = home.trials()
    sound(trials, 3, 6)
    resumed = [trial for trial in trials if trial["attempts"][0]["reason"] == "interrupted"]
    assert resumed
    for trial in resumed:
        first, second = trial["attempts"]
        assert second["first_epoch"] == first["last_epoch"] + 1


def test_ctrl_c_twice_stops_now(home: Home):
    home.create(trials=2, epochs=3)
    driver = home.fork("study", "run", "s", "--slots", "2", SLOW_SECONDS="20")
    query = "SELECT pid FROM attempts WHERE reason IS NULL AND pid IS NOT NULL"
    home.until(lambda: len(home.rows(query)) == 2)
    interrupt(driver)
    time.sleep(0.5)
    interrupt(driver)
    driver.communicate(timeout=15)
    assert driver.returncode == 130
    assert {trial["state"] for trial in home.trials()} == {"waiting"}


def test_an_interrupted_study_ends_like_one_that_was_left_alone(home: Home, undisturbed):
    home.create(trials=3, epochs=6)
    driver = home.fork("study", "run", "s", "--slots", "1")
    os.kill(home.until(home.running_pids)[0], signal.SIGKILL)
    driver.communicate(timeout=120)
    assert values(home.trials()) == values(undisturbed(3, 6))


def test_a_second_driver_is_refused_and_reported_of_the_first(home: Home):
    home.create(trials=2, epochs=6)
    driver = home.fork("study", "run", "s", "--slots", "1")
    home.until(home.running_pids)
    second = home.run("study", "run", "s")
    assert second.returncode == 1
    assert str(driver.pid) in second.stderr
    out, err = driver.communicate(timeout=120)
    assert driver.returncode == 0, out + err
    sound(home.trials(), 2, 6)


def test_a_study_stopped_by_another_process_finishes_its_epochs_and_can_go_on(home: Home):
    home.create(trials=2, epochs=20)
    assert "study 's' is not running" in home.run("study", "stop", "s").stdout
    assert home.rows("SELECT kind FROM control") == []
    driver = home.fork("study", "run", "s", "--slots", "2")
    home.until(home.running_pids)
    assert home.run("study", "stop", "s").returncode == 0
    out, err = driver.communicate(timeout=120)
    assert driver.returncode == 0, out + err
    assert "asked to stop" in out + err
    stopped = home.trials()
    ended = [attempt["reason"] for trial in stopped for attempt in trial["attempts"]]
    assert set(ended) == {"interrupted"}
    with home.inside():
        assert api.show_study("s").state == "stopped"
    done = home.run("study", "run", "s", "--slots", "2")
    assert done.returncode == 0, done.stderr
    sound(home.trials(), 2, 20)
    with home.inside():
        assert api.show_study("s").state == "complete"

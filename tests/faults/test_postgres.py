"""PostgreSQL stops and starts under a study, and nothing is lost: every trial ends once, every epoch counts once."""

import contextlib
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.faults.conftest import Home, Undisturbed
from tests.postgres import Server, Unavailable
from tests.preloaded import COMMAND, Driver, Preloaded

pytestmark = pytest.mark.slow(seconds=30)
EPOCHS = 6
IMPATIENT = f"import fersearch.store.writer as writer; writer.OUTAGE_SECONDS = 3.0; {COMMAND}"


class PostgresHome(Home):
    """A home whose studies are in PostgreSQL."""

    def __init__(self, folder: Path, server: Server, preloaded: Preloaded) -> None:
        super().__init__(folder)
        self.preloaded: Preloaded = preloaded
        self.server = server
        self.url = server.create()
        self.drivers: list[Driver] = []
        self.env["FERSEARCH_STORAGE"] = self.url

    def drive(self, code: str = COMMAND) -> Driver:
        """Run the study on two slots, slowly enough to be hurt."""
        arguments = ("study", "run", "s", "--slots", "2")
        driver = self.preloaded.start(arguments, self.folder, {**self.env, "SLOW_SECONDS": "0.4"}, code)
        self.drivers.append(driver)
        return driver

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(self.url) as connection:
            return connection.execute(query.encode()).fetchall()
        return []

    def epochs_logged(self) -> int:
        """How many epochs the trial processes have reported in their logs."""
        logs = (self.folder / "home").glob("logs/**/*.log")
        return sum(log.read_text().count(f" of {EPOCHS}: ") for log in logs)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server that tests may stop, with commits as safe as a real one's."""
    try:
        server = Server(fsync="on", synchronous_commit="on", full_page_writes="on")
    except Unavailable as reason:
        pytest.skip(str(reason))
    yield server
    server.close()


@pytest.fixture
def home(tmp_path: Path, server: Server, warm_fork_server: None, preloaded: Preloaded) -> Iterator[PostgresHome]:
    home = PostgresHome(tmp_path, server, preloaded)
    home.create(trials=4, epochs=EPOCHS)
    yield home
    for driver in home.drivers:
        driver.kill()
        print(*driver.communicate())
    server.start()


def results(trials: list[dict[str, Any]]) -> list[Any]:
    """Parameters, scores and every epoch of every trial; all that does not depend on the clock."""
    return [
        (
            trial["state"],
            trial["params"],
            trial["values"]["f1_macro"],
            trial["values"]["parameters"],
            trial["checkpoint"] is not None,
            [(row["epoch"], row["values"]["f1_macro"], row["values"]["accuracy"]) for row in trial["history"]],
        )
        for trial in trials
    ]


def test_outages_are_ridden_out(home: PostgresHome, undisturbed: Undisturbed):
    driver = home.drive()
    home.until(home.running_pids)
    away = []
    for how in (signal.SIGQUIT, signal.SIGINT):  # at once, and politely
        home.server.stop(how)
        since, known = time.time(), home.epochs_logged()
        home.until(lambda known=known: home.epochs_logged() >= min(known + 4, 4 * EPOCHS))
        away.append((since, time.time()))
        home.server.start()
        home.until(lambda since=since: home.rows(f"SELECT 1 FROM epochs WHERE recorded_at > to_timestamp({since})"))
    out, err = driver.communicate(timeout=180)
    assert driver.returncode == 0, out + err
    assert results(home.trials()) == results(undisturbed(4, EPOCHS, slots=2))
    assert home.rows("SELECT trial, number, reason FROM attempts ORDER BY trial") == [(n, 1, "done") for n in range(4)]
    assert home.rows("SELECT count(*) FROM epochs") == [(4 * EPOCHS,)]
    during = " OR ".join(f"recorded_at BETWEEN to_timestamp({a}) AND to_timestamp({b})" for a, b in away)
    assert home.rows(f"SELECT count(*) FROM epochs WHERE {during}") >= [(4,)]
    assert [path.name for path in (home.folder / "home" / "runs").glob("*/*")] == ["owner.json"]


def test_after_too_long_an_outage_the_study_stops_and_can_go_on(home: PostgresHome, undisturbed: Undisturbed):
    driver = home.drive(IMPATIENT)
    pids = home.until(home.running_pids)
    home.server.stop()
    out, err = driver.communicate(timeout=120)
    assert driver.returncode == 1, out + err
    assert "Traceback" not in err
    assert "of the study are not in it" in err
    assert "when the database is back, continue with: fersearch study run s" in err
    home.until(lambda: home.gone(pids), seconds=5.0)
    home.server.start()
    done = home.run("study", "run", "s", "--slots", "2")
    assert done.returncode == 0, done.stderr
    assert results(home.trials()) == results(undisturbed(4, EPOCHS, slots=2))
    assert home.rows("SELECT count(*) FROM attempts WHERE reason IS NULL") == [(0,)]


def test_a_driver_that_is_killed_in_an_outage_leaves_nothing_that_harms(home: PostgresHome, undisturbed: Undisturbed):
    driver = home.drive()
    pids = home.until(home.running_pids)
    home.server.stop()
    known = home.epochs_logged()
    home.until(lambda: home.epochs_logged() >= known + 6)
    driver.kill()
    driver.communicate()
    home.until(lambda: home.gone(pids), seconds=5.0)
    home.server.start()
    done = home.run("study", "run", "s", "--slots", "2")
    assert done.returncode == 0, done.stderr
    assert results(home.trials()) == results(undisturbed(4, EPOCHS, slots=2))


def test_other_commands_say_what_is_wrong(home: PostgresHome):
    home.server.stop()
    try:
        for arguments in (("study", "list"), ("study", "show", "s"), ("study", "run", "s")):
            done = home.run(*arguments)
            assert done.returncode == 1
            assert done.stderr.startswith("error: database postgresql://tester@/")
            assert "check that the database can be reached" in done.stderr
            assert "Traceback" not in done.stderr
    finally:
        home.server.start()

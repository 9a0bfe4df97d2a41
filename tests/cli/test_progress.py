import io
from dataclasses import replace

import pytest
from rich.console import Console

from fersearch.cli import progress
from fersearch.store import StudyRow
from fersearch.study import Budget, Constraint
from fersearch.trial import Attempt, Decision, Reason, TrialState
from tests.cli.fakes import CREATED, SPEC, epoch, text, trial

ROW = StudyRow(1, "cnn-faces", replace(SPEC, budget=Budget(4)), CREATED, (), {}, 0.0)
WAITING = trial(1, 0, 0, 0, state=TrialState.RUNNING, values={}, epochs=0)


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def watch(kind, clock, terminal=False, row=ROW, seconds=None):
    console = Console(file=io.StringIO(), width=110, force_terminal=terminal, color_system=None)
    watcher = kind(console, seconds, clock)
    watcher.begin(row, row.spec.budget.trials, [], 2)
    return watcher


def test_lines_tell_the_start_and_each_end(clock):
    watcher = watch(progress.Lines, clock)
    pruned = trial(1, 0.2, 4.0, 31.0, state=TrialState.PRUNED, epochs=2)
    failed = trial(2, 0, 0, 0, state=TrialState.FAILED, values={}, attempts=(Attempt(1, Reason.OOM, "no memory"),))
    killed = trial(3, 0, 0, 0, state=TrialState.WAITING, values={}, attempts=(Attempt(1, Reason.KILLED),))
    for one in (trial(0, 0.61, 12.3, 45.6), pruned, failed, killed):
        watcher.started(replace(one, state=TrialState.RUNNING), 0)
        watcher.ended(one)
    watcher.note("a plugin was used")
    watcher.end()
    assert watcher.console.file.getvalue().splitlines() == [
        "study cnn-faces: cnn on faces, 4 trials, 2 at once",
        "trial 0 complete: f1_macro 0.610, train_seconds 12.3, peak_memory_mb 45.6 (1/4; best f1_macro 0.610)",
        "trial 1 pruned after 2 epochs: f1_macro 0.200, train_seconds 4.00, peak_memory_mb 31.0 "
        "(2/4; best f1_macro 0.610)",
        "trial 2 failed (oom): no memory (3/4; best f1_macro 0.610)",
        "trial 3 killed, waiting to resume (3/4; best f1_macro 0.610)",
        "note: a plugin was used",
    ]


def test_verbose_lines_tell_every_epoch(clock):
    watcher = watch(progress.Lines, clock)
    watcher.started(WAITING, 0)
    watcher.epoch(WAITING, epoch(1, 0.3), Decision.CONTINUE)
    watcher.verbose = True
    losses = {"f1_macro": 0.412, "train_loss": 1.5, "valid_loss": 1.75}
    watcher.epoch(WAITING, replace(epoch(2, 0.4), values=losses), Decision.CONTINUE)
    watcher.epoch(WAITING, epoch(3, 0.5), Decision.STOP)
    watcher.tally.running[1].rounds = 2
    watcher.epoch(WAITING, replace(epoch(13, 0.5), round=2), Decision.INTERRUPT)
    assert watcher.console.file.getvalue().splitlines()[1:] == [
        "trial 1 epoch 2/12: f1_macro 0.412, train loss 1.50, valid loss 1.75, 2.0s",
        "trial 1 epoch 3/12: f1_macro 0.500, 2.0s; stops here",
        "trial 1 round 2/2, epoch 13/24: f1_macro 0.500, 2.0s; saved, to be resumed later",
    ]


@pytest.mark.parametrize("terminal", [False, True])
def test_the_watcher_is_verbose_on_request(terminal):
    console = Console(file=io.StringIO(), force_terminal=terminal)
    assert progress.watcher(console, verbose=True).verbose
    assert not progress.watcher(console).verbose


def test_lines_tell_preparing_once_at_each_end(clock):
    watcher = progress.Lines(Console(file=io.StringIO(), width=80), None, clock)
    for done in (0, 10, 20, 30):
        watcher.preparing(done, 30)
    assert watcher.console.file.getvalue() == "preparing 30 images\nprepared 30 images\n"


def test_the_board_has_a_bar_per_running_trial_and_the_best_so_far(clock):
    watcher = watch(progress.Lines, clock)
    watcher.started(WAITING, 0)
    watcher.started(trial(2, 0, 0, 0, state=TrialState.RUNNING, values={}, epochs=0), 1)
    watcher.epoch(WAITING, epoch(6, 0.412), Decision.CONTINUE)
    watcher.ended(trial(0, 0.61, 12.3, 45.6))
    clock.now += 30
    assert text(progress.board(watcher.tally, clock.now), 110) == "\n".join(
        [
            "1/4 trials, 30s, about 50s left",
            "  trial 1  ━━━━━━━━━━━━              6/12 epochs  f1_macro 0.412",
            "  trial 2                            0/12 epochs  starting",
            "  best so far: f1_macro 0.610 (trial 0), train_seconds 12.3 (trial 0), peak_memory_mb 45.6 (trial 0)",
        ]
    )


def test_time_left_follows_the_pace_but_never_exceeds_the_time_limit(clock):
    tally = watch(progress.Lines, clock).tally
    assert tally.remaining(clock.now + 10) is None
    tally.ended.append(trial(0, 0.5, 1, 1))
    assert tally.remaining(clock.now + 10) == pytest.approx(30)
    tally.seconds = 25
    assert tally.remaining(clock.now + 10) == pytest.approx(15)
    assert tally.remaining(clock.now + 40) == 0


def test_trials_that_ended_in_an_earlier_run_do_not_count_as_pace(clock):
    watcher = progress.Lines(Console(file=io.StringIO()), None, clock)
    watcher.begin(ROW, 4, [trial(0, 0.5, 1, 1), trial(1, 0.4, 1, 1)], 2)
    assert watcher.tally.remaining(clock.now + 10) is None
    watcher.ended(trial(2, 0.5, 1, 1))
    assert watcher.tally.remaining(clock.now + 10) == pytest.approx(10)


def test_the_default_time_of_a_run_is_what_the_study_has_left(clock):
    row = replace(ROW, spec=replace(SPEC, budget=Budget(4, 600.0)), seconds=500.0)
    assert watch(progress.Lines, clock, row=row).tally.seconds == 100
    assert watch(progress.Lines, clock, row=row, seconds=50).tally.seconds == 50


def test_only_complete_trials_are_best(clock):
    watcher = watch(progress.Lines, clock)
    watcher.ended(trial(1, 0.9, 1.0, 1.0, state=TrialState.PRUNED))
    assert watcher.tally.bests() == []


def test_what_breaks_a_bound_is_not_best_and_untrained_it_is_not_counted(clock):
    watcher = watch(progress.Lines, clock)
    watcher.tally.spec = replace(SPEC, where=(Constraint("peak_memory_mb", "<=", 10.0),))
    watcher.ended(trial(0, 0.9, 1.0, 20.0))
    watcher.ended(trial(1, 0.5, 1.0, 5.0))
    watcher.ended(trial(2, 0, 0, 0, state=TrialState.INFEASIBLE, values={}, epochs=0))
    assert [number for *_, number in watcher.tally.bests()] == [1, 1, 1]
    assert watcher.tally.counted == 2


def test_bars_are_drawn_at_most_a_few_times_a_second_and_leave_only_the_lines(clock):
    watcher = watch(progress.Bars, clock, terminal=True)
    watcher.started(WAITING, 0)
    size = len(watcher.console.file.getvalue())
    watcher.tick()
    assert len(watcher.console.file.getvalue()) == size
    clock.now += 1
    watcher.tick()
    assert "trial 1" in watcher.console.file.getvalue()[size:]
    watcher.ended(trial(0, 0.61, 12.3, 45.6))
    watcher.end()
    assert "trial 0 complete" in watcher.console.file.getvalue()


def test_a_terminal_gets_bars_and_a_pipe_lines():
    assert isinstance(progress.watcher(Console(file=io.StringIO(), force_terminal=True)), progress.Bars)
    assert isinstance(progress.watcher(Console(file=io.StringIO())), progress.Lines)


def test_a_reader_who_left_does_not_stop_the_study(clock, monkeypatch):
    from fersearch.cli import render

    class Gone(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    monkeypatch.setattr("sys.stdout", Gone())
    watcher = progress.Lines(render.console(), None, clock)
    watcher.begin(ROW, 4, [], 2)
    watcher.ended(trial(0, 0.61, 12.3, 45.6))
    assert len(watcher.tally.ended) == 1

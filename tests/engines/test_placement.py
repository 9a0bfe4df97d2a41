"""Where trials go: fixed slots, and slots packed by memory, with the driver and the probe played by hand."""

from dataclasses import dataclass, field

import pytest

from fersearch.engines.devices import Slot
from fersearch.engines.gpu_memory import GIGABYTE as GB
from fersearch.engines.memory_bounds import MemoryBounds
from fersearch.engines.placement import SETTLE, FixedPlacement, PackedPlacement, needs_of
from fersearch.engines.processes import FORKS, Pool
from fersearch.engines.shutdown import Level, Stop
from fersearch.nvml import GpuStatus
from fersearch.observer import Observer
from fersearch.study import Constraint
from fersearch.trial import Attempt, Reason, Trial


def slot(number, gpu):
    return Slot(number, "cuda:0", (("CUDA_VISIBLE_DEVICES", gpu),), 1)


def trial(number, batch_size=32, facts=None):
    attempts = (Attempt(1, Reason.DONE, facts=facts),) if facts else ()
    return Trial(number, {"batch_size": batch_size, "optimizer": "sgd", "epochs": 3}, attempts=attempts)


@dataclass
class Machine:
    """GPUs of 10 GB with 9 GB free, a clock, and probes that finish on request."""

    gpus: tuple = ("0",)
    most: int = 8
    now: float = 100.0
    free: dict = field(default_factory=dict)
    answers: list = field(default_factory=list)
    started: list = field(default_factory=list)
    closed: int = 0
    notes: list = field(default_factory=list)
    shown: dict = field(default_factory=dict)

    def places(self, known=None, **more):
        slots = [slot(i, gpu) for i, gpu in enumerate(self.gpus * self.most)]
        return PackedPlacement(slots, self.probe, self.read, self.notes.append, known, lambda: self.now, **more)

    def read(self, gpu):
        return GpuStatus(10 * GB, round(self.free.get(gpu, 9) * GB), dict(self.shown))

    def probe(self, trial, slot, limit):
        self.started.append((trial.number, slot.gpu, limit))
        return self

    def result(self):
        return self.answers.pop(0) if self.answers else None

    def close(self):
        self.closed += 1

    def later(self, seconds=SETTLE):
        self.now += seconds


def measured(machine, places, one, need):
    """Offer a trial until it was measured; returns its slot."""
    assert places.take(one) is None
    machine.answers.append({"need": round(need * GB)} if need else {"lacks": "memory"})
    taken = places.take(one)
    if taken is None:
        machine.later()
        taken = places.take(one)
    return taken


def test_fixed_slots_are_taken_and_returned():
    places = FixedPlacement([slot(0, "0"), slot(1, "1")])
    assert places.reserved() == {"0": 0, "1": 0}
    first = places.take(trial(0))
    assert (first.number, places.open) == (0, True)
    assert places.reserved() == {"0": None, "1": 0}
    assert places.take(trial(1)).number == 1
    assert not places.open
    places.give_back(first, trial(0))
    assert places.take(trial(2)) == first


def test_a_trial_waits_for_its_probe_and_its_like_need_none():
    machine = Machine()
    places = machine.places()
    assert measured(machine, places, trial(0), 2).gpu == "0"
    assert (machine.started, machine.closed) == ([(0, "0", None)], 1)
    machine.later()
    machine.free["0"] = 7
    assert places.take(trial(1)).gpu == "0"
    assert len(machine.started) == 1
    assert machine.notes == ["gpu 0: 4 trials at once (2.0 GB each of 9.0 GB free, 10% margin)"]


def test_as_many_run_as_fit_and_the_next_waits_until_one_has_gone():
    machine = Machine()
    places = machine.places(known=needs_of([trial(9, facts={"device_mb": 3 * 1024})]))
    taken = [places.take(trial(number)) for number in range(3)]
    assert [place is not None for place in taken] == [True, True, False]
    assert machine.started == []
    places.give_back(taken[0], trial(0, facts={"device_mb": 3 * 1024}))
    assert places.take(trial(2)) == taken[0]


def test_the_gpu_with_most_room_is_filled_first():
    machine = Machine(gpus=("0", "1"), free={"0": 5, "1": 9})
    places = machine.places(known=needs_of([trial(9, facts={"device_mb": 3 * 1024})]))
    assert [places.take(trial(number)).gpu for number in range(3)] == ["1", "1", "0"]
    assert places.take(trial(3)) is None
    assert {gpu: round(size / GB, 1) for gpu, size in places.reserved().items()} == {"0": 3.3, "1": 6.6}


def test_never_more_than_the_slots():
    machine = Machine(most=2)
    places = machine.places(known=needs_of([trial(9, facts={"device_mb": 1})]))
    assert places.take(trial(0))
    assert places.take(trial(1))
    assert not places.open


def test_what_a_trial_really_took_counts_from_then_on():
    machine = Machine()
    places = machine.places()
    first = measured(machine, places, trial(0), 1)
    places.give_back(first, trial(0, facts={"device_mb": 5 * 1024}))
    machine.later()
    assert places.take(trial(1))
    assert places.take(trial(2)) is None


def test_what_does_not_fit_is_run_alone_once_the_gpu_has_settled():
    machine = Machine(free={"0": 9})
    places = machine.places(known=needs_of([trial(9, facts={"device_mb": 2048})]))
    small = places.take(trial(0))
    big = trial(1, batch_size=512)
    machine.later()
    assert places.take(big) is None
    assert machine.started == [(1, "0", round(9 * GB) - round(2.2 * GB))]
    machine.answers.append({"lacks": "memory"})
    assert places.take(big) is None  # it needs more than is left beside the small one
    places.give_back(small, trial(0))
    machine.free["0"] = 7  # the dying process has not given its memory back yet
    assert places.take(big) is None
    machine.later()
    machine.free["0"] = 9
    assert places.take(big).gpu == "0"
    machine.later()
    assert places.take(trial(2)) is None  # nothing goes beside one of unknown need


def test_a_need_beyond_the_whole_gpu_is_tried_alone_and_reported():
    machine = Machine()
    places = machine.places()
    assert measured(machine, places, trial(0), 20)
    assert "does not fit" in machine.notes[-1]
    assert "runs alone" in machine.notes[-1]


def test_a_probe_beside_others_waits_for_room():
    machine = Machine(free={"0": 9})
    places = machine.places(known=needs_of([trial(9, facts={"device_mb": 7 * 1024})]))
    assert places.take(trial(0))
    machine.later()
    assert places.take(trial(1, batch_size=64)) is None
    assert machine.started == []


def test_a_gpu_of_which_nothing_is_known_takes_one_trial_after_another():
    machine = Machine()
    places = machine.places(known=needs_of([trial(9, facts={"device_mb": 1024})]))
    machine.read = lambda gpu: None
    places = PackedPlacement(
        [slot(0, "0"), slot(1, "0")],
        machine.probe,
        machine.read,
        machine.notes.append,
        needs_of([trial(9, facts={"device_mb": 1024})]),
        lambda: machine.now,
    )
    first = places.take(trial(0))
    assert first
    assert places.take(trial(1)) is None
    places.give_back(first, trial(0))
    machine.later()
    assert places.take(trial(1))


def test_a_process_that_is_seen_frees_what_it_does_not_need_twice():
    machine = Machine()
    places = machine.places(known=needs_of([trial(9, facts={"device_mb": 4 * 1024})]))
    first = places.take(trial(0))
    places.runs(first, 77)
    machine.later()
    machine.free["0"], machine.shown = 5, {77: 4 * GB}
    assert places.take(trial(1))


def test_a_probe_under_way_is_ended_with_the_engine():
    machine = Machine()
    places = machine.places()
    places.take(trial(0))
    assert places.reserved() == {"0": None}
    places.close()
    assert machine.closed == 1


def test_needs_are_learnt_by_shape_and_parts():
    result = needs_of(
        [
            trial(0, facts={"device_mb": 100.0}),
            trial(1, facts={"device_mb": 300.0}),
            trial(2, facts={"device_mb": 50.0, "micro_batches": 2}),
            trial(3, facts={"device": "cpu"}),
        ]
    )
    assert sorted(result.values()) == [50 * 2**20, 300 * 2**20]


class Reluctant(FixedPlacement):
    """Has room only at the third request."""

    requests = 0

    def take(self, trial):
        self.requests += 1
        return super().take(trial) if self.requests >= 3 else None


class Full(FixedPlacement):
    def take(self, trial):
        return None


class StopSoon(Observer):
    def __init__(self, stop):
        self.stop, self.ends = stop, []

    def tick(self):
        self.stop.ask(Level.AFTER_EPOCH)

    def ended(self, trial):
        self.ends.append((trial.number, trial.state, trial.reason))


@pytest.mark.skipif(not FORKS, reason="scripted trials are forked")
def test_the_engine_holds_a_trial_until_there_is_room(bench, monkeypatch):
    study, places = bench("local", ("first", "second")), Reluctant([Slot(0, "cpu", (), 1)])
    monkeypatch.setattr(study, "_backend", lambda slots: (places, Pool))
    study.run()
    trials = study.rows.read_trials()
    assert [(one.state, len(one.attempts)) for one in trials] == [("complete", 1), ("complete", 1)]
    assert [one.attempts[0].facts["most_neighbours"] for one in trials] == [0, 0]


@pytest.mark.skipif(not FORKS, reason="scripted trials are forked")
def test_a_held_trial_waits_when_the_study_stops(bench, monkeypatch):
    study, stop = bench("local", ("first",)), Stop()
    monkeypatch.setattr(study, "_backend", lambda slots: (Full([Slot(0, "cpu", (), 1)]), Pool))
    watcher = StopSoon(stop)
    study.run(observer=watcher, stop=stop)
    assert watcher.ends == [(0, "waiting", "interrupted")]


def test_a_trial_whose_peak_breaks_a_bound_gets_no_slot_and_its_like_no_probe():
    machine, bounds = Machine(), MemoryBounds((Constraint("peak_memory_mb", "<=", 900),))
    places = machine.places(keeps=bounds.keeps)
    assert places.take(trial(0)) is None
    machine.answers.append({"need": 2 * GB, "peak": GB})
    assert bounds.refusal(trial(0)) is None
    assert places.take(trial(0)) is None
    outcome = bounds.refusal(trial(0))
    assert (outcome.reason, outcome.message) == (Reason.INFEASIBLE, "peak_memory_mb 1,024 breaks peak_memory_mb<=900")
    assert outcome.facts["measured"] == {"peak_memory_mb": 1024}
    assert len(machine.started) == 1
    refused = trial(0, facts=outcome.facts)
    again = MemoryBounds(bounds.bounds, [refused])  # the study goes on
    assert again.refusal(trial(1)).message == outcome.message
    assert again.refusal(trial(1, batch_size=16)) is None
    assert MemoryBounds((), [refused]).refusal(trial(1)) is None


def test_a_trial_whose_peak_keeps_the_bounds_is_placed_by_its_need():
    machine, bounds = Machine(), MemoryBounds((Constraint("peak_memory_mb", "<=", 1024),))
    places = machine.places(keeps=bounds.keeps)
    assert places.take(trial(0)) is None
    machine.answers.append({"need": 2 * GB, "peak": GB})
    machine.later()
    assert places.take(trial(0)).gpu == "0"
    assert bounds.refusal(trial(0)) is None

"""Where trials run: what each engine is given, and what is refused before anything starts."""

from contextlib import ExitStack

import pytest

from fersearch import accelerators, api
from fersearch.engines import backends, devices
from fersearch.engines.memory_bounds import BY_TRAINING, MemoryBounds
from fersearch.engines.placement import FixedPlacement, PackedPlacement
from fersearch.engines.processes import Pool
from fersearch.errors import FersearchError, UsageError
from fersearch.nvml import GpuStatus
from fersearch.observer import Observer
from fersearch.run_options import RunOptions
from fersearch.study import Constraint
from fersearch.trial import Attempt, Reason, Trial


@pytest.fixture
def opened():
    """Opens backends and closes them in the end; what they note is in `notes`."""
    with ExitStack() as left:

        def open_backend(engine="local", address=None, slots=None, per_gpu=None, threads=None):
            options = RunOptions(slots, per_gpu, threads, engine=engine, ray_address=address)
            return left.enter_context(backends.backend(options, open_backend.notes.append))

        open_backend.notes = []
        yield open_backend


@pytest.fixture
def one_gpu(monkeypatch):
    monkeypatch.setattr(accelerators, "gpus", lambda: ["0"])


def test_slots_of_this_machine(opened, monkeypatch):
    monkeypatch.setattr(accelerators, "gpus", list)
    monkeypatch.setattr(devices, "cores", lambda: 4)
    backend = opened(slots=3, threads=2)
    assert [slot.threads for slot in backend.slots] == [2, 2, 2]
    assert opened.notes == ["3 slots of 2 threads share 4 cores: trials will wait for each other"]
    places = backend.placement(Pool(()), None, None, opened.notes.append, [], MemoryBounds(()))
    assert isinstance(places, FixedPlacement)
    assert len(opened.notes) == 1
    bounded = MemoryBounds((Constraint("peak_memory_mb", "<=", 9),))
    backend.placement(Pool(()), None, None, opened.notes.append, [], bounded)
    assert opened.notes[1:] == [BY_TRAINING]
    backend.monitor(places, pytest.fail).look()


def test_auto_packs_by_what_earlier_trials_took(opened, one_gpu, monkeypatch):
    gb = 2**30
    monkeypatch.setattr(backends.nvml, "status", lambda gpu: GpuStatus(10 * gb, 9 * gb, {}))
    backend = opened(per_gpu="auto")
    done = Trial(0, {"batch_size": 32}, attempts=(Attempt(1, Reason.DONE, facts={"device_mb": 4096.0}),))
    places = backend.placement(Pool(()), None, None, opened.notes.append, [done], MemoryBounds(()))
    assert isinstance(places, PackedPlacement)
    like = Trial(1, {"batch_size": 32})
    assert [places.take(like) is not None for _ in range(3)] == [True, True, False]
    assert opened.notes == [
        "trials are measured and packed by what fits: at most 8 at once",
        "gpu 0: 2 trials at once (4.0 GB each of 9.0 GB free, 10% margin)",
    ]


def test_a_stranger_on_a_gpu_is_noted_before_the_first_trial(opened, one_gpu):
    backend = opened(per_gpu="2")
    assert len(backend.slots) == 2
    places = backend.placement(Pool(()), None, None, pytest.fail, [], MemoryBounds(()))
    monitor = backend.monitor(places, opened.notes.append)
    monitor._read = lambda gpu: GpuStatus(10, 5, {2**22 + 1: 5 * 2**30})  # no pid is that high
    monitor.look()
    assert [note.split(" (")[0] for note in opened.notes] == [f"gpu 0 is also used by pid {2**22 + 1}"]


@pytest.mark.parametrize(
    ("options_given", "message"),
    [
        ({"per_gpu": "many"}, "--slots-per-gpu 'many' is not a number"),
        ({"per_gpu": "0"}, "--slots-per-gpu 0 leaves no slot"),
        ({"engine": "slurm"}, "unknown engine 'slurm'"),
        ({"address": "auto"}, "without --engine ray"),
        ({"threads": 0}, "leaves no thread"),
    ],
)
def test_what_makes_no_sense_is_refused(opened, options_given, message):
    with pytest.raises(UsageError, match=message):
        opened(**options_given)


@pytest.mark.parametrize(
    ("options_given", "message"),
    [
        ({"engine": "ray", "exclusive_timing": True}, "--exclusive-timing times trials on this machine"),
        ({"in_process": True, "engine": "ray", "grace": 5.0}, "--engine ray, --grace cannot apply"),
        ({"in_process": True, "hung_after": 60.0, "exclusive_timing": True}, "--exclusive-timing, --hung-after cannot"),
        ({"hung_after": 1.0}, "--hung-after 1 s is too short"),
        ({"threads_per_slot": 0}, "leaves no thread"),
    ],
)
def test_a_run_that_makes_no_sense_is_refused_before_anything_is_opened(options_given, message):
    with pytest.raises(UsageError, match=message):
        api.run_study("any", **options_given)
    with pytest.raises(UsageError, match=message):
        api.check_run(**options_given)
    api.check_run(in_process=True, threads_per_slot=1)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nowhere://x", "nowhere://x is not a location for files"),
        ("s3://", "s3:// does not name a location"),
        ("file:///proc/none", "file:///proc/none: .* cannot be written"),
    ],
)
def test_artifacts_must_be_able_to_go_where_they_shall(url, message, monkeypatch):
    with pytest.raises(FersearchError, match=message):
        api.check_run(artifacts=url)
    monkeypatch.setenv("FERSEARCH_ARTIFACTS", url)
    with pytest.raises(FersearchError, match=message):
        api.check_run()


def test_a_study_measures_and_packs_its_trials(warm_fork_server, tmp_path, monkeypatch):
    """On a CPU that is taken for a GPU of 1 GB: the probe, the trials and the engine are the real ones."""
    monkeypatch.setenv("FERSEARCH_HOME", str(tmp_path))
    slots = [devices.Slot(i, "cpu", devices.HIDDEN, 1) for i in range(2)]
    monkeypatch.setattr(devices, "slots", lambda *_: slots)
    monkeypatch.setattr(backends.nvml, "status", lambda _: GpuStatus(2**30, 2**30, {}))
    watcher = Notes()
    sizes = {"train": "80", "valid": "40", "test": "40"}
    fixed = {"batch_size": "32", "optimizer": "adam", "activation": "relu", "convolutions": "1", "dropout": "0"}
    api.create_study(
        "cnn", "faces", name="packed", trials=3, epochs="1", pruner="none", dataset_options=sizes, settings=fixed
    )
    assert api.run_study("packed", slots_per_gpu="auto", observer=watcher).counts == {"complete": 3}
    assert watcher.notes[0] == "trials are measured and packed by what fits: at most 2 at once"
    assert [note for note in watcher.notes if "2 trials at once" in note and "of 1.0 GB free" in note]
    assert len(list(tmp_path.rglob("*-probe.log"))) == 1


class Notes(Observer):
    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)

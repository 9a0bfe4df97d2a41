"""A probe in a process of its own, for real on the CPU, while its caller continues."""

import time
from dataclasses import replace

import pytest

from fersearch import api
from fersearch.context import open_store
from fersearch.data.prepared import Prepared
from fersearch.engines import gpu_memory as probing
from fersearch.engines.devices import Slot
from fersearch.engines.gpu_memory import UNKNOWN, prober
from fersearch.engines.processes import FORKS, Pool
from fersearch.engines.requests import request_for
from fersearch.home import artifacts_folder, prepared_folder
from fersearch.trial import Trial

pytestmark = pytest.mark.skipif(not FORKS, reason="trials are forked on Linux only")
HERE = Slot(0, "cpu", (("CUDA_VISIBLE_DEVICES", ""),), 1)


@pytest.fixture(scope="module")
def request_of(tmp_path_factory):
    """Makes requests for a trial of `cnn` on drawn faces."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FERSEARCH_HOME", str(tmp_path_factory.mktemp("home")))
        options = {"train": "120", "valid": "60", "test": "60"}
        spec = api.create_study("cnn", "faces", name="probed", trials=1, dataset_options=options)
        api.prepare_dataset("faces", options=options)
        (copy,) = [Prepared.open(path.parent) for path in prepared_folder().rglob("meta.json")]
        with open_store(None) as store:
            study = store.study(spec.name)

        def ask(trial, slot):
            return request_for(study, trial, copy, slot, artifacts_folder())

        ask.params = {**next(spec.space.configurations()), "augmentation": "none"}
        yield ask


@pytest.fixture(scope="module")
def pool(warm_fork_server):
    pool = Pool(("torch", "fersearch.engines.child"))
    yield pool
    pool.close()


def result(probe, seconds=120.0):
    deadline = time.monotonic() + seconds
    while (outcome := probe.result()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    probe.close()
    return outcome


def params(request_of, **changes):
    """The parameters of a whole trial of the study, some of them changed."""
    return {**request_of.params, **changes}


def test_a_process_measures_what_two_steps_need(request_of, pool, tmp_path):
    start = prober(pool, request_of, lambda trial: tmp_path / f"{trial.number}.log")
    needs = {}
    for size in (8, 256):
        outcome = result(start(Trial(size, params(request_of, batch_size=size)), HERE, None))
        needs[size] = outcome["need"]
    assert 2**20 < needs[8] < needs[256] < 4 * 2**30
    assert (tmp_path / "8-probe.log").exists()


def test_a_probe_that_fails_or_is_killed_gives_no_figure(request_of, pool, tmp_path):
    start = prober(pool, request_of, lambda trial: tmp_path / "log")
    assert result(start(Trial(0, params(request_of, optimizer="nonsense")), HERE, None)) == UNKNOWN
    started = prober(pool, request_of, lambda trial: tmp_path / "log")(Trial(0, params(request_of)), HERE, None)
    while started._process.pid is None and started.result() is None:
        time.sleep(0.02)
    started._process.kill()
    assert result(started) == UNKNOWN


def test_a_probe_that_lasts_too_long_is_abandoned(request_of, pool, tmp_path, monkeypatch):
    monkeypatch.setattr(probing, "PATIENCE", -1.0)
    start = prober(pool, lambda trial, slot: replace(request_of(trial, slot), number=1), lambda trial: tmp_path / "log")
    assert result(start(Trial(0, params(request_of)), HERE, None)) == UNKNOWN

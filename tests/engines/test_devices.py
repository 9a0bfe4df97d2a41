import pytest

from fersearch.engines import devices
from fersearch.errors import UsageError


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(devices, "_gpu_count", lambda: 0)
    monkeypatch.setattr(devices, "cores", lambda: 4)


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(devices, "_gpu_count", lambda: 2)
    monkeypatch.setattr(devices, "cores", lambda: 8)


def test_without_a_gpu_every_core_is_a_slot_of_one_thread(no_gpu):
    slots = devices.slots()
    assert [(slot.device, slot.threads) for slot in slots] == [("cpu", 1)] * 4
    assert all(dict(slot.env) == {"CUDA_VISIBLE_DEVICES": ""} for slot in slots)


def test_fewer_slots_share_out_the_cores(no_gpu):
    assert [slot.threads for slot in devices.slots(2)] == [2, 2]
    assert [slot.threads for slot in devices.slots(3)] == [1, 1, 1]


def test_each_gpu_is_a_slot(two_gpus):
    slots = devices.slots()
    assert [dict(slot.env)["CUDA_VISIBLE_DEVICES"] for slot in slots] == ["0", "1"]
    assert [(slot.device, slot.threads) for slot in slots] == [("cuda:0", 4)] * 2


def test_slots_per_gpu_go_round_the_gpus(two_gpus):
    slots = devices.slots(per_gpu=2)
    assert [dict(slot.env)["CUDA_VISIBLE_DEVICES"] for slot in slots] == ["0", "1", "0", "1"]


def test_only_visible_gpus_are_used(two_gpus, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert [dict(slot.env)["CUDA_VISIBLE_DEVICES"] for slot in devices.slots()] == ["1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert devices.slots()[0].device == "cpu"


@pytest.mark.parametrize("wish", [{"count": 0}, {"per_gpu": 0}, {"count": -1}])
def test_no_place_for_a_trial_is_refused(no_gpu, wish):
    with pytest.raises(UsageError, match="leaves no place"):
        devices.slots(**wish)


def test_slots_per_gpu_need_a_gpu(no_gpu):
    with pytest.raises(UsageError, match="no GPU was found"):
        devices.slots(per_gpu=2)

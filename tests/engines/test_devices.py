import pytest

from fersearch import accelerators, api, nvml
from fersearch.engines import devices
from fersearch.engines.devices import MOST
from fersearch.errors import UsageError
from fersearch.observer import Observer
from tests import studies


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(nvml, "count", lambda: 0)
    monkeypatch.setattr(devices, "cores", lambda: 4)


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(nvml, "count", lambda: 2)
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
    with pytest.raises(UsageError, match="leaves no slot"):
        devices.slots(**wish)


def test_slots_per_gpu_need_a_gpu(no_gpu):
    with pytest.raises(UsageError, match="no GPU was found"):
        devices.slots(per_gpu=2)


def test_threads_decide_how_many_slots_the_cores_carry(no_gpu):
    assert [slot.threads for slot in devices.slots(threads=2)] == [2, 2]
    assert [slot.threads for slot in devices.slots(3, threads=4)] == [4, 4, 4]
    assert [slot.threads for slot in devices.slots(threads=9)] == [9]


def test_threads_beside_a_gpu_are_its_hosts(two_gpus):
    assert [slot.threads for slot in devices.slots(threads=1)] == [1, 1]


def test_more_threads_than_cores_are_reported_not_refused(no_gpu):
    assert devices.thread_warning(devices.slots(2, threads=2)) == ""
    assert devices.thread_warning(devices.slots(3, threads=2)) == (
        "3 slots of 2 threads share 4 cores: trials will wait for each other"
    )
    assert devices.thread_warning(devices.slots(9)) == ""  # one thread each is the least there is


def test_no_thread_is_refused(no_gpu):
    with pytest.raises(UsageError, match="--threads-per-slot 0 leaves no thread"):
        devices.slots(threads=0)


def test_auto_offers_each_gpu_as_many_slots_as_there_may_be(two_gpus):
    places = devices.slots(per_gpu="auto")
    assert {gpu: sum(slot.gpu == gpu for slot in places) for gpu in ("0", "1")} == {"0": MOST, "1": MOST}
    assert len(devices.slots(3, per_gpu="auto")) == 3


def test_auto_needs_a_gpu_with_the_same_message(no_gpu):
    with pytest.raises(UsageError, match="--slots-per-gpu was given, but no GPU was found"):
        devices.slots(per_gpu="auto")


def test_a_number_means_the_same_gpu_to_cuda_as_to_the_driver(two_gpus, monkeypatch):
    assert dict(devices.slots()[0].env)["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a")
    assert dict(devices.slots()[0].env) == {"CUDA_VISIBLE_DEVICES": "GPU-a"}


def test_slots_know_what_they_share(two_gpus, monkeypatch):
    assert [slot.place for slot in devices.slots()] == ["gpu 0", "gpu 1"]
    monkeypatch.setattr(nvml, "count", lambda: 0)
    assert {slot.place for slot in devices.slots()} == {"cpu"}


@pytest.fixture
def mac(no_gpu, monkeypatch):
    monkeypatch.setattr(accelerators.sys, "platform", "darwin")
    monkeypatch.setattr(accelerators.platform, "machine", lambda: "arm64")


def test_a_mac_has_one_slot_on_its_own_gpu(mac):
    (slot,) = devices.slots()
    assert (slot.device, slot.threads, slot.gpu, slot.place) == ("mps", 4, None, "mps")
    assert dict(slot.env) == {"PYTORCH_ENABLE_MPS_FALLBACK": "1"}
    assert [one.threads for one in devices.slots(per_gpu=2)] == [2, 2]
    assert [one.threads for one in devices.slots(2, threads=3)] == [3, 3]


def test_an_intel_mac_computes_on_its_cores(mac, monkeypatch):
    monkeypatch.setattr(accelerators.platform, "machine", lambda: "x86_64")
    assert {slot.device for slot in devices.slots(2)} == {"cpu"}


def test_auto_is_refused_on_a_mac(mac):
    with pytest.raises(UsageError, match="Apple's GPU"):
        devices.slots(per_gpu="auto")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("model name\t: X\nflags\t\t: fpu avx2 avx512_bf16 amx_bf16\n", ("AVX512-BF16", "AMX")),
        ("flags\t\t: fpu avx2 avx512f\n", ()),
        ("Features\t: fp asimd bf16\n", ("Arm BF16",)),
        ("processor : 0\n", None),
        (None, None),
    ],
)
def test_the_kernel_tells_how_a_cpu_computes_in_bf16(monkeypatch, tmp_path, text, wanted):
    if text is not None:
        (tmp_path / "cpuinfo").write_text(text)
    monkeypatch.setattr(devices, "CPU_INFO", tmp_path / "cpuinfo")
    assert devices.fast_bf16() == wanted


def test_bf16_is_warned_of_where_the_trials_cpu_is_known_to_be_slow_in_it(no_gpu, monkeypatch):
    places, gpu = devices.slots(), [devices.Slot(0, "cuda:0", (), 1)]
    monkeypatch.setattr(devices, "fast_bf16", lambda: ())
    assert "no fast bf16" in devices.slow_bf16("bf16", places)
    assert devices.slow_bf16("auto", places) == devices.slow_bf16("float32", places) == ""
    assert devices.slow_bf16("bf16", gpu) == ""
    for known in (None, ("AMX",)):
        monkeypatch.setattr(devices, "fast_bf16", lambda known=known: known)
        assert devices.slow_bf16("bf16", places) == ""


def test_a_run_warns_of_slow_bf16_before_it_trains(tmp_path, monkeypatch):
    monkeypatch.setenv("FERSEARCH_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(devices, "fast_bf16", lambda: ())
    monkeypatch.setattr(nvml, "count", lambda: 0)
    observer = Observer()
    observer.note = (notes := []).append
    study = studies.create("slow", trials=1, epochs="1", precision="bf16")
    api.run_study(study, in_process=True, observer=observer)
    assert notes[0].startswith("warning: this CPU has no fast bf16")
    assert api.show_trial(study, 0).trial.attempts[0].facts["precision"] == "bf16"

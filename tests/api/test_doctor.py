"""What the doctor says of a sound installation, and of each thing that can be wrong."""

import os
import socket
import subprocess
import sys
import time
from collections import namedtuple
from types import SimpleNamespace

import pytest

from fersearch import api
from fersearch.artifacts import Artifacts
from fersearch.maintenance import doctor
from fersearch.maintenance.doctor import Check, guarded
from fersearch.owners import Owner
from fersearch.store.schema import Checkup
from fersearch.training import measure

NAMES = [
    "host",
    "packages",
    "devices",
    "face detector",
    "page",
    "home",
    "storage",
    "checkpoints",
    "plugins",
    "datasets",
]
Usage = namedtuple("Usage", "total used free")


def look(name, **how):
    return next(check for check in api.diagnose(**how) if check.name == name)


def judged(**seen):
    return doctor._assessment(Checkup("postgresql://here/x", None, **seen))


@pytest.fixture
def gpus(monkeypatch):
    """A driver library that knows two GPUs, of which so many MB are taken."""

    def install(*taken):
        memory = [SimpleNamespace(free=(80_000 - mb) * 2**20, total=80_000 * 2**20) for mb in taken]
        monkeypatch.setattr(doctor.accelerators, "gpus", lambda: [str(i) for i in range(len(taken))])
        fake = SimpleNamespace(
            nvmlInit=lambda: None,
            nvmlShutdown=lambda: None,
            nvmlDeviceGetHandleByIndex=int,
            nvmlDeviceGetName=lambda handle: f"H{handle}".encode(),
            nvmlSystemGetDriverVersion=lambda: "580.1",
            nvmlDeviceGetMemoryInfo=memory.__getitem__,
        )
        monkeypatch.setitem(sys.modules, "pynvml", fake)

    return install


def test_a_sound_installation_is_all_ok(study):
    result = api.diagnose()
    assert [check.name for check in result] == NAMES
    assert {check.name: check.message for check in result if check.level == "fail"} == {}
    assert look("checkpoints").facts["files"] == 4
    assert look("storage").facts["schema"] == look("storage").facts["newest"]
    assert look("plugins").facts["counts"]["metric"] > 10


def test_torch_is_not_imported_by_default(home):
    code = "from fersearch import api; import sys; api.diagnose(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_deep_computes_with_torch(home):
    check = look("torch", deep=True)
    assert (check.level, check.facts["devices"][0]) == ("ok", "cpu")


def test_a_device_that_does_not_compute_is_reported(monkeypatch):
    monkeypatch.setattr(measure.torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(measure.torch.Tensor, "to", _no_kernel)
    check = doctor.check_torch()
    assert (check.level, check.message) == ("fail", "cuda:0: no kernel image")


def _no_kernel(tensor, device):
    if device == "cpu":
        return tensor
    raise RuntimeError("no kernel image\nand more")


def test_a_torch_without_the_gpu_fails(monkeypatch):
    monkeypatch.setattr(doctor.accelerators, "gpus", lambda: ["0"])
    monkeypatch.setattr(measure.torch.cuda, "device_count", lambda: 0)
    check = doctor.check_torch()
    assert check.level == "fail"
    assert check.message.endswith("but not on the GPU")


def test_gpus_are_reported_with_their_memory(gpus):
    gpus(0, 100)
    check = doctor.check_device()
    assert check.level == "ok"
    assert check.message.startswith("GPU 0 H0, 80,000 of 80,000 MB free; GPU 1 H1, 79,900 of 80,000 MB free")


def test_a_gpu_that_others_use_is_warned_of(gpus):
    gpus(0, 30_000)
    check = doctor.check_device()
    assert check.level == "warn"
    assert check.hint.startswith("GPU 1 is in use")


@pytest.mark.parametrize(
    ("bf16", "message"), [(("AMX",), "with AMX, so"), ((), "with no fast bf16, so"), (None, "cores, so")]
)
def test_a_cpu_is_reported_with_what_it_is_in_bf16(monkeypatch, bf16, message):
    monkeypatch.setattr(doctor.accelerators, "gpus", list)
    monkeypatch.setattr(doctor.accelerators, "has_mps", lambda: False)
    monkeypatch.setattr(doctor.devices, "fast_bf16", lambda: bf16)
    check = doctor.check_device()
    assert message in check.message
    assert check.facts["bf16"] == (bf16 if bf16 is None else list(bf16))


def test_a_driver_without_a_gpu_is_warned_of(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor.accelerators, "gpus", list)
    monkeypatch.setattr(doctor, "NVIDIA_DRIVER", tmp_path)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert "nvidia-smi" in doctor.check_device().hint
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert "unset it" in doctor.check_device().hint


def test_a_missing_package_fails(monkeypatch):
    monkeypatch.setattr(doctor, "PACKAGES", ("numpy", "no-such-package"))
    check = doctor.check_python()
    assert check.level == "fail"
    assert check.message.endswith("missing: no-such-package")


def test_a_face_detector_that_was_changed_is_warned_of(monkeypatch):
    monkeypatch.setattr(doctor, "DIGEST", "other")
    assert doctor.check_face_detector().level == "warn"


def test_a_page_that_is_not_built_is_warned_of_with_what_builds_it(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "PAGE", tmp_path / "index.html")
    check = doctor.check_page()
    assert (check.level, check.hint) == ("warn", "install Node.js, then: python -m fersearch.service.web.build")


@pytest.mark.parametrize(("gigabytes", "level"), [(20, "ok"), (5, "warn"), (0.5, "fail")])
def test_the_room_left_on_the_disk_decides(home, monkeypatch, gigabytes, level):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: Usage(0, 0, int(gigabytes * 2**30)))
    assert doctor.check_folder().level == level


def test_a_home_that_cannot_be_made_fails(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("FERSEARCH_HOME", str(tmp_path / "file" / "home"))
    check = doctor.check_folder()
    assert check.level == "fail"
    assert "cannot be written" in check.message


def test_nothing_is_made_where_nothing_is(tmp_path, monkeypatch):
    monkeypatch.setenv("FERSEARCH_HOME", str(tmp_path / "new"))
    check = look("storage")
    assert (check.level, check.facts["schema"]) == ("ok", None)
    assert not (tmp_path / "new").exists()


def test_a_server_that_does_not_answer_fails(home):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"postgresql://me:secret@127.0.0.1:{closed.getsockname()[1]}/studies"
        result = api.diagnose(storage=url)
    storage = next(check for check in result if check.name == "storage")
    assert storage.level == "fail"
    assert "secret" not in storage.message
    assert "checkpoints" not in [check.name for check in result]
    assert result[-1].name == "datasets", "what follows is still told"


@pytest.mark.parametrize(
    ("seen", "level", "message"),
    [
        ({"schema": 2, "newest": 2, "seconds": 0.004, "ahead": 0.2}, "ok", "responds in 4 ms"),
        ({"schema": 1, "newest": 2}, "warn", "schema 1"),
        ({"schema": 2, "newest": 2, "ahead": -65.0}, "warn", "65 s behind"),
        ({"schema": 2, "newest": 2, "seconds": 0.5}, "warn", "500 ms"),
        ({"schema": 2, "newest": 2, "network": "nfs4"}, "warn", "network file system (nfs4)"),
        ({"schema": None}, "ok", "responds, and is empty"),
    ],
)
def test_what_is_seen_of_a_database_is_judged(seen, level, message):
    result = judged(**seen)
    assert result[0] == level
    assert message in result[1]
    assert bool(result[2]) == (level == "warn")


def test_files_without_a_row_and_rows_without_a_file_are_counted(tmp_path, monkeypatch):
    monkeypatch.setenv("FERSEARCH_HOME", str(tmp_path))
    weights = tmp_path / "weights"
    weights.write_bytes(b"x" * 2**20)
    artifacts = Artifacts(tmp_path / "artifacts")
    spare = artifacts.put(weights)
    os.utime(artifacts.root / spare, (0, time.time() - 2 * doctor.YOUNG))
    weights.write_bytes(b"young")
    artifacts.put(weights)
    check = doctor.check_checkpoints(Checkup("sqlite:///x", tmp_path, checkpoints={"ab" * 32: ("cnn-faces", 3)}))
    assert check.level == "warn"
    assert check.message == (
        "2 files, 1 MB; 1 of them (1 MB) are of no study in this database; "
        "1 are missing, for example that of trial 3 of cnn-faces"
    )
    assert check.hint.splitlines()[0] == (
        "remove those that no other database of this home needs: fersearch checkpoint gc"
    )


def test_the_files_of_another_database_are_no_finding(tmp_path, monkeypatch):
    monkeypatch.setenv("FERSEARCH_HOME", str(tmp_path))
    artifacts, weights = Artifacts(tmp_path / "artifacts"), tmp_path / "weights"
    for text, database in (("theirs", "b" * 32), ("ours", "a" * 32)):
        weights.write_text(text)
        digest = artifacts.put(weights, Owner(database, "5" * 32))
        os.utime(artifacts.root / digest, (0, time.time() - 2 * doctor.YOUNG))
    check = doctor.check_checkpoints(Checkup("sqlite:///x", tmp_path, identity="a" * 32))
    assert check.facts["unnamed"] == 1


def test_a_broken_plugin_fails_and_is_named(home, tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text("import no_such_module")
    monkeypatch.setenv("FERSEARCH_PLUGINS_DIR", str(tmp_path))
    check = look("plugins")
    assert check.level == "fail"
    assert "no_such_module" in check.message


def test_a_check_that_breaks_does_not_take_the_others_down():
    def broken():
        raise ZeroDivisionError("by nought")

    assert guarded("x", broken) == Check("x", "fail", "ZeroDivisionError: by nought", "report it as a bug of fersearch")

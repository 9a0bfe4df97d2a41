"""Checks of the machine: its host, Python and packages, devices, and OpenCV's face detector."""

import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fersearch import nvml
from fersearch.api.checks import MEGABYTE, Check
from fersearch.api.running import PACKAGES
from fersearch.data.detect import CASCADE
from fersearch.engines import devices

NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")
BUSY = 0.1
"""A GPU of whose memory a larger share is taken before any trial runs is somebody else's too."""


def host() -> Check:
    """Its name and clock, as the records of a study will have them."""
    moment = datetime.now(UTC)
    facts = {"host": platform.node(), "platform": platform.platform(), "utc": moment.isoformat(timespec="seconds")}
    told = f"{facts['host']}, {facts['platform']}, {moment:%Y-%m-%d %H:%M:%S} UTC"
    if sys.platform != "linux":
        return Check("host", "warn", told, "trials are forked on Linux only", facts)
    return Check("host", "ok", told, facts=facts)


def python() -> Check:
    """Python and the packages that decide results."""
    found = {name: _version(name) for name in (*PACKAGES, "ray", "timm", "opencv-python-headless")}
    facts = {"python": platform.python_version(), "executable": sys.executable, "packages": found}
    told = ", ".join([f"Python {facts['python']}", *(f"{name} {number}" for name, number in found.items() if number)])
    missing = [name for name, number in found.items() if number is None]
    if missing:
        hint = f"install what is missing: {sys.executable} -m pip install {' '.join(missing)}"
        return Check("packages", "fail", f"{told}; missing: {', '.join(missing)}", hint, facts)
    return Check("packages", "ok", told, facts=facts)


def device() -> Check:
    """Cores and GPUs with their free memory, asked of the driver library."""
    cores = devices.cores()
    gpus = _gpus()
    facts = {"cores": cores, "gpus": gpus}
    if not gpus and devices.has_mps():
        return Check("devices", "ok", f"Apple's GPU (mps), so 1 trial at once; {cores} cores", facts=facts)
    if not gpus:
        told = f"no GPU; {cores} cores, so {cores} trials at once"
        hint = _why_no_gpu()
        return Check("devices", "warn" if hint else "ok", told, hint, facts)
    names = [f"GPU {g['index']} {g['name']}, {g['free_mb']:,} of {g['total_mb']:,} MB free" for g in gpus]
    told = f"{'; '.join(names)}; {cores} cores"
    busy = [str(gpu["index"]) for gpu in gpus if gpu["total_mb"] - gpu["free_mb"] > BUSY * gpu["total_mb"]]
    if busy:
        others = f"GPU {', '.join(busy)} is in use: choose others by CUDA_VISIBLE_DEVICES, or expect slower trials"
        return Check("devices", "warn", told, others, facts)
    return Check("devices", "ok", told, facts=facts)


def face_detector() -> Check:
    """OpenCV's cascade, which finds faces in photographs; the library is not imported for it."""
    spec = find_spec("cv2")
    folders = spec.submodule_search_locations if spec else None
    files = [Path(folder) / "data" / CASCADE for folder in folders or ()]
    found = next((file for file in files if file.is_file()), None)
    if found is None:
        told = "OpenCV's face detector is missing: faces in photographs cannot be found"
        return Check("face detector", "warn", told, "pip install 'opencv-python-headless<5'")
    return Check("face detector", "ok", str(found), facts={"path": str(found)})


def torch() -> Check:
    """Import torch and compute on each device; takes seconds."""
    from fersearch.training.checkup import computes

    facts = computes()
    told = f"torch {facts['torch']} computes on {', '.join(facts['devices'])}"
    if failures := facts["failures"]:
        told = "; ".join(f"{name}: {why}" for name, why in failures.items())
        hint = "install a torch that was built for this GPU and its driver: https://pytorch.org/get-started/locally"
        return Check("torch", "fail", told, hint, facts)
    if len(facts["devices"]) == 1 and devices.gpus():
        hint = f"this torch is built for {facts['built_for']}: install one for the GPU's driver"
        return Check("torch", "fail", f"{told}, but not on the GPU", hint, facts)
    return Check("torch", "ok", told, facts=facts)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _why_no_gpu() -> str:
    """What to do where a GPU's driver is loaded and still none can be used; empty where there is no driver."""
    if not NVIDIA_DRIVER.exists():
        return ""
    if not os.environ.get("CUDA_VISIBLE_DEVICES", "all").strip("-1 "):
        return "CUDA_VISIBLE_DEVICES hides every GPU: unset it to use them"
    return "an NVIDIA driver is loaded, but no GPU answers: try nvidia-smi; in a container, give it the GPUs"


def _gpus() -> list[dict[str, Any]]:
    """The GPUs that this process may use: index, name, driver, memory in MB."""
    names = devices.gpus()
    if not names:
        return []
    with nvml.library() as pynvml:
        return [_gpu(pynvml, name) for name in names]


def _gpu(pynvml: Any, name: str) -> dict[str, Any]:
    handle = nvml.handle(pynvml, name)
    memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    return {
        "index": name,
        "name": _text(pynvml.nvmlDeviceGetName(handle)),
        "driver": _text(pynvml.nvmlSystemGetDriverVersion()),
        "free_mb": memory.free // MEGABYTE,
        "total_mb": memory.total // MEGABYTE,
    }


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value

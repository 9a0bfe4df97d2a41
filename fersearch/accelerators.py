"""The GPUs of this machine, without torch."""

import os
import platform
import sys

from fersearch import nvml


def gpus() -> list[str]:
    """Return the CUDA devices that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    names = os.environ.get("CUDA_VISIBLE_DEVICES")
    if names is not None:
        return [name.strip() for name in names.split(",") if name.strip() not in ("", "-1")] if nvml.count() else []
    return [str(index) for index in range(nvml.count())]


def has_mps() -> bool:
    """Return whether this is a Mac with Apple's own GPU."""
    return sys.platform == "darwin" and platform.machine() == "arm64"

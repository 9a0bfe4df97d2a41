"""What tests ask of processes that are not theirs."""

import time

import psutil


def ended(pid: int) -> bool:
    """Whether a process has ended; one that nobody has buried yet has."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def gone(pid: int, seconds: float = 5.0) -> bool:
    """Whether a process ends in so many seconds."""
    deadline = time.monotonic() + seconds
    while not ended(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True

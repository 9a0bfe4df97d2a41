"""What tests ask of processes that are not theirs."""

import time
from pathlib import Path

import psutil


def ended(pid: int) -> bool:
    """Whether a process has ended, zombies included."""
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


def anonymous_mb(pid: int) -> float:
    """Memory that is no file's: what the process holds for itself alone; 0 once it has ended."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("RssAnon:")), 0) / 1024

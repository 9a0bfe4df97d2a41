"""Preloaded by the occupancy benchmark into fork servers: trials that sleep, epoch after epoch, and train nothing."""

import os
import sys
import time
from types import ModuleType

from fersearch.training.request import TrialRequest
from fersearch.trial import Epoch, Outcome, Reason

NAPS = 5  # epochs of a trial
SECONDS = "BENCHMARK_SECONDS"  # the environment variable that says how long a trial sleeps in all


def run_trial(request, report, pulse=None, saved=None, notify=None, settle=None, quiet=None):
    """Tell five epochs that are slept through; an epoch's seconds are those in which it slept."""
    for number in range(1, NAPS + 1):
        started = time.perf_counter()
        time.sleep(float(os.environ[SECONDS]) / NAPS)
        values = {"f1_macro": number / NAPS, "train_seconds": float(number), "peak_memory_mb": 50.0}
        report(Epoch(number, values, seconds=time.perf_counter() - started))
    return Outcome(Reason.DONE, kept_epoch=NAPS)


stub = ModuleType("fersearch.training.attempt")  # the trial process needs no torch then
stub.TrialRequest, stub.run_trial = TrialRequest, run_trial
sys.modules["fersearch.training.attempt"] = stub

import fersearch.engines.child  # noqa: E402, F401

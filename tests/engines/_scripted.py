"""Preloaded into fork servers by the engines' contract: trials that do as their parameter says, and train nothing."""

import os
import signal
import sys
import time
from types import ModuleType

import psutil

from fersearch.training.request import TrialRequest
from fersearch.trial import Decision, Epoch, Outcome, Reason

EPOCHS = 8
QUALITY = ("pruned", "first", "second", "third", "failed", "infeasible", "diverged", "killed", "unlucky", "orphaned")
QUALITY += ("hung", "preempted", "slow")
STEPS = {"slow": 100, "preempted": 2400, "stepping": 2400}  # of a twentieth of a second each
DIGEST = "d" * 64


def run_trial(request: TrialRequest, report, pulse, saved, notify, settle, quiet):
    """Tell epochs from the one after the last recorded, and meet the end that `behaviour` names."""
    wish = str(request.params["behaviour"])
    reported = 0
    if wish == "killed" and request.attempt == 1:
        saved()
    for number in range(request.recorded + 1, EPOCHS + 1):
        if number == 2 and (wish == "asleep" or (wish == "hung" and request.attempt == 1)):
            time.sleep(120)
        if number == 2 and wish in STEPS and request.attempt == 1 and _leaves(wish, pulse):
            return Outcome(Reason.INTERRUPTED, f"saved inside epoch {number}")
        _hurt(wish, request.attempt, number)
        value = (QUALITY.index(wish) if wish in QUALITY else 1) + number / 10
        value = float("nan") if wish == "infeasible" and number > 4 else value  # after the last rung
        decision = report(Epoch(number, {"f1_macro": value}, seconds=0.01, confusion=[[1, 0], [0, 1]]))
        reported = number
        if decision is Decision.STOP:
            return Outcome(Reason.PRUNED, kept_epoch=reported, checkpoint=DIGEST)
        if decision is Decision.INTERRUPT and number < EPOCHS:
            return Outcome(Reason.INTERRUPTED, f"saved after epoch {number}")
        if wish == "patient":
            time.sleep(0.05)
    if wish == "diverged":
        return Outcome(Reason.DIVERGED, "the loss became infinite")
    return Outcome(Reason.DONE, kept_epoch=reported, checkpoint=DIGEST, facts={"device": request.device})


def _leaves(wish: str, pulse) -> bool:
    """Take the steps of a long epoch; whether there was a reason to leave before its end."""
    for step in range(STEPS[wish]):
        if pulse():
            return True
        if wish == "preempted" and step == 10:
            os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.05)
    return False


def _hurt(wish: str, attempt: int, number: int) -> None:
    if number < 2:
        return
    if wish == "unlucky" or (wish == "killed" and attempt == 1):
        os.kill(os.getpid(), signal.SIGKILL)
    if wish == "orphaned" and attempt == 1:
        server = psutil.Process(os.getppid())
        above = server.parent()
        server_or_actor = above if above is not None and above.name().startswith("ray::") else server
        server_or_actor.kill()
        time.sleep(60)
    if wish == "failed":
        print("about to leave")
        os._exit(3)


stub = ModuleType("fersearch.training.attempt")
stub.TrialRequest, stub.run_trial = TrialRequest, run_trial
sys.modules["fersearch.training.attempt"] = stub

import fersearch.engines.child  # noqa: E402, F401

"""The options of a run: one record for the command line, for Python and for the engines."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

HUNG_AFTER = 600.0
"""Seconds without a heartbeat after which a trial is killed and retried, unless a run says otherwise."""
GRACE = 30.0
"""Seconds that trials have to save where they are and leave, unless a run says otherwise."""


@dataclass(frozen=True)
class RunOptions:
    """The options of one run of a study.

    Attributes:
        slots: trials at once; default one per GPU, or one per core without a GPU.
        slots_per_gpu: trials at once on each GPU, or `auto`: as many as fit by their memory.
        threads_per_slot: CPU threads of each trial; default an equal share of the cores.
        trials: the study's new total of trials.
        timeout: seconds for this run; default what is left of the study's own.
        keep: which checkpoints the study keeps from now on: `front`, `all` or `best N`.
        data: the present location of the study's data, if it has moved.
        accept_data_change: continue with different data: trials on the earlier data are not compared with new
            ones, and those that have not ended begin again.
        in_process: run one trial in this process, for a debugger.
        engine: `local` (this machine), or `ray` (a cluster).
        ray_address: with ray: `auto`, HOST:PORT, or `local` (the default: start one here).
        artifacts: the folder or the URL where checkpoints go; default `FERSEARCH_ARTIFACTS`, else one in the home.
        hung_after: seconds without a heartbeat after which a trial's process is killed and retried; 0 never.
        grace: seconds that each trial has after SIGTERM to save where it is and leave.
        exclusive_timing: at the end train each member of the front again, alone, for its `exclusive_train_seconds`.
        only_slots: the numbers of the slots to use, from 0; default all.
        observe: observers that receive the events, each as `NAME` or `NAME:OPTION=VALUE,OPTION=VALUE`; default those
            of `FERSEARCH_OBSERVE`, with blanks between them, else none.
        resume: continue a study that is paused; a service, whose queue decides about that, does not.
    """

    slots: int | None = None
    slots_per_gpu: int | Literal["auto"] | str | None = None
    threads_per_slot: int | None = None
    trials: int | None = None
    timeout: float | None = None
    keep: str | None = None
    data: Path | None = None
    accept_data_change: bool = False
    in_process: bool = False
    engine: str = "local"
    ray_address: str | None = None
    artifacts: str | None = None
    hung_after: float = HUNG_AFTER
    grace: float = GRACE
    exclusive_timing: bool = False
    only_slots: tuple[int, ...] | None = None
    observe: tuple[str, ...] | None = None
    resume: bool = True

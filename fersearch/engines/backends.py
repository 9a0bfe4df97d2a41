"""The engine's slots and process pool, the placement of trials, and the monitor of other GPU users."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fersearch import nvml
from fersearch.engines import devices
from fersearch.engines.contention import ContentionMonitor
from fersearch.engines.devices import PerGpu, Slot
from fersearch.engines.gpu_memory import prober
from fersearch.engines.memory_bounds import BY_TRAINING, MemoryBounds
from fersearch.engines.observing import check_observers
from fersearch.engines.placement import FixedPlacement, PackedPlacement, Placement, needs_of
from fersearch.engines.processes import LEAST, Pool
from fersearch.errors import UsageError
from fersearch.home import artifacts_folder
from fersearch.remote import Remote
from fersearch.run_options import GRACE, HUNG_AFTER, RunOptions
from fersearch.training.request import TrialRequest
from fersearch.trial import Trial

Note = Callable[[str], None]


@dataclass(frozen=True)
class Backend:
    """The slots of an engine, and the factory of its pool of trial processes from the modules to preload.

    With `packed` the slots are the most possible ones, and trials are placed by their memory.
    """

    slots: Sequence[Slot]
    make_pool: Callable[..., Pool]
    packed: bool = False
    only: Sequence[int] | None = None

    def placement(
        self,
        pool: Pool,
        request: Callable[[Trial, Slot], TrialRequest],
        log: Callable[[Trial], Path],
        note: Note,
        trials: Sequence[Trial],
        memory: MemoryBounds,
    ) -> Placement:
        """Return the placement of trials; memory that ended trials used on a GPU is not measured again."""
        if not self.packed:
            if memory.bounds:
                note(BY_TRAINING)
            return FixedPlacement(self.slots, self.only)
        note(f"trials are measured and packed by what fits: at most {len(self.slots)} at once")
        known, probe = needs_of(trials), prober(pool, request, log)
        return PackedPlacement(self.slots, probe, nvml.status, note, known, keeps=memory.keeps)

    def monitor(self, placement: Placement, note: Note) -> ContentionMonitor:
        """Return the monitor of other users of this machine's GPUs; on a cluster it monitors none."""
        gpus = list(dict.fromkeys(slot.gpu for slot in self.slots if slot.gpu))
        return ContentionMonitor(gpus, note, placement.reserved)


@contextmanager
def backend(options: RunOptions, note: Note, precision: str = "auto") -> Iterator[Backend]:
    """Yield the backend of a run, open until the context ends; `note` is called with warnings, as of a slow precision.

    Raises:
        UsageError: the options are inconsistent, or impossible on these machines.
    """
    per_gpu, threads = _check_engine(options), options.threads_per_slot
    if options.engine == "ray":
        from fersearch.engines.ray.pool import on_ray

        artifacts = artifacts_folder(options.artifacts)
        with on_ray(options.ray_address, options.slots, per_gpu, threads, artifacts) as (slots, make_pool):
            yield Backend(slots, make_pool, only=_only(options, len(slots), packed=False))
    else:
        here = devices.slots(options.slots, per_gpu, threads)
        if threads and (warning := devices.thread_warning(here)):
            note(warning)
        if slow := devices.slow_bf16(precision, here):
            note(slow)
        yield Backend(here, Pool, per_gpu == "auto", _only(options, len(here), packed=per_gpu == "auto"))


def check_run(options: RunOptions | None = None, **changes: Any) -> None:
    """Check the options of a run before anything is stored; options of a cluster are checked on joining it.

    `changes` are fields of `RunOptions` that replace those of `options`. A URL for artifacts is checked by a write
    to it.

    Raises:
        UsageError: the options are inconsistent, or impossible on this machine.
        FersearchError: the artifacts' URL cannot be used, or an observer cannot work.
    """
    options = replace(options or RunOptions(), **changes)
    _check_engine(options)
    if 0 < options.hung_after < LEAST:
        raise UsageError(
            f"--hung-after {options.hung_after:g} s is too short: a trial sends a heartbeat about once a second",
            f"give {LEAST:g}s or more, or 0 for never",
        )
    if options.exclusive_timing and options.engine != "local":
        raise UsageError(
            "--exclusive-timing times trials on this machine, not on the cluster machines that trained them",
            "leave it out, and on a machine of the cluster: fersearch study run NAME --exclusive-timing",
        )
    excluded = {
        f"--engine {options.engine}": options.engine != "local",
        "--exclusive-timing": options.exclusive_timing,
        "--hung-after": options.hung_after != HUNG_AFTER,
        "--grace": options.grace != GRACE,
    }
    if options.in_process and (conflicting := [flag for flag, is_set in excluded.items() if is_set]):
        raise UsageError(
            f"--in-process runs one trial in this process: {', '.join(conflicting)} cannot apply",
            "leave out one of them",
        )
    if isinstance(place := artifacts_folder(options.artifacts), str):
        Remote(place).check()
    check_observers(options.observe)


def _check_engine(options: RunOptions) -> PerGpu | None:
    """Check the engine's options against each other and this machine; return the requested slots per GPU."""
    per_gpu = _per_gpu(options.slots_per_gpu)
    if options.engine not in ("local", "ray"):
        raise UsageError(f"unknown engine '{options.engine}'", "give local or ray")
    if options.engine == "local":
        if options.ray_address is not None:
            raise UsageError("--ray-address was given without --engine ray", "add --engine ray, or leave it out")
        here = devices.slots(options.slots, per_gpu, options.threads_per_slot)
        _only(options, len(here), packed=per_gpu == "auto")
    return per_gpu


def _only(options: RunOptions, count: int, packed: bool) -> Sequence[int] | None:
    """Return the numbers of the slots that a run may use, None for all; UsageError for a number without a slot."""
    only = options.only_slots
    if only is None:
        return None
    if packed:
        raise UsageError("--only-slots was given with --slots-per-gpu auto", "give a number of slots for each GPU")
    if unknown := sorted(set(only) - set(range(count))):
        numbers = ", ".join(map(str, unknown))
        raise UsageError(f"--only-slots names slots that do not exist: {numbers}", f"give numbers of 0 to {count - 1}")
    return sorted(set(only))


def _per_gpu(slots: int | str | None) -> PerGpu | None:
    """Return the slots per GPU as a number, or `auto`; UsageError for any other text."""
    if slots is None or isinstance(slots, int):
        return slots
    if slots == "auto":
        return "auto"
    try:
        return int(slots)
    except ValueError:
        raise UsageError(f"--slots-per-gpu '{slots}' is not a number", "give a number, or auto") from None

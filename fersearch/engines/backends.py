"""Where a study's trials run: the engine's slots and pool, how trials are placed, and who else is there."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fersearch import nvml
from fersearch.engines import devices
from fersearch.engines.contention import Lookout
from fersearch.engines.devices import PerGpu, Slot
from fersearch.engines.gpu_memory import prober
from fersearch.engines.placement import FixedPlaces, PackedPlaces, Places, needs_of
from fersearch.engines.processes import HUNG_AFTER, LEAST, Pool
from fersearch.engines.shutdown import GRACE
from fersearch.errors import UsageError
from fersearch.home import artifacts_folder
from fersearch.remote import Remote
from fersearch.training.request import TrialRequest
from fersearch.trial import Trial

Note = Callable[[str], None]


@dataclass(frozen=True)
class Body:
    """The slots of an engine, and what makes its pool of trial processes from the modules to preload.

    With `packed` the slots are the most there may be, and trials are placed by their memory.
    """

    slots: Sequence[Slot]
    make_pool: Callable[..., Pool]
    packed: bool = False

    def places(
        self,
        pool: Pool,
        request: Callable[[Trial, Slot], TrialRequest],
        log: Callable[[Trial], Path],
        note: Note,
        trials: Sequence[Trial],
    ) -> Places:
        """Where the engine puts trials; what those that ended took of a GPU need not be measured again."""
        if not self.packed:
            return FixedPlaces(self.slots)
        note(f"trials are measured and packed by what fits: at most {len(self.slots)} at once")
        return PackedPlaces(self.slots, prober(pool, request, log), nvml.standing, note, needs_of(trials))

    def lookout(self, places: Places, note: Note) -> Lookout:
        """What watches for others on the GPUs of this machine; on a cluster none are known beforehand."""
        gpus = list(dict.fromkeys(slot.gpu for slot in self.slots if slot.gpu))
        return Lookout(gpus, note, places.reserved)


@contextmanager
def body(
    engine: str,
    ray_address: str | None,
    slots: int | None,
    slots_per_gpu: int | str | None,
    threads: int | None,
    note: Note,
) -> Iterator[Body]:
    """An engine's body, for as long as it is used.

    Raises:
        UsageError: the arguments make no sense together, or on these machines.
    """
    per_gpu = _check_body(engine, ray_address, slots, slots_per_gpu, threads)
    if engine == "ray":
        from fersearch.engines.ray.pool import on_ray

        with on_ray(ray_address, slots, per_gpu, threads) as (places, make_pool):
            yield Body(places, make_pool)
    else:
        here = devices.slots(slots, per_gpu, threads)
        if threads and (told := devices.crowded(here)):
            note(told)
        yield Body(here, Pool, packed=per_gpu == "auto")


def check_run(
    *,
    slots: int | None = None,
    slots_per_gpu: int | str | None = None,
    threads_per_slot: int | None = None,
    in_process: bool = False,
    engine: str = "local",
    ray_address: str | None = None,
    hung_after: float = HUNG_AFTER,
    grace: float = GRACE,
    exclusive_timing: bool = False,
) -> None:
    """Check, before anything is stored, that a study may be run so; what only a cluster knows, it will tell.

    Where artifacts go to a URL, files can be written there.

    Raises:
        UsageError: the arguments, as in `run_study`, make no sense together or on this machine.
        FersearchError: the artifacts' URL cannot be used.
    """
    _check_body(engine, ray_address, slots, slots_per_gpu, threads_per_slot)
    if 0 < hung_after < LEAST:
        raise UsageError(
            f"--hung-after {hung_after:g} s is too short: a trial gives a sign of life about once a second",
            f"give {LEAST:g}s or more, or 0 for never",
        )
    if exclusive_timing and engine != "local":
        raise UsageError(
            "--exclusive-timing times trials on this machine, not on the cluster's that trained them",
            "leave it out, and on a machine of the cluster: fersearch study run NAME --exclusive-timing",
        )
    beside = {
        f"--engine {engine}": engine != "local",
        "--exclusive-timing": exclusive_timing,
        "--hung-after": hung_after != HUNG_AFTER,
        "--grace": grace != GRACE,
    }
    if in_process and (given := [flag for flag, is_given in beside.items() if is_given]):
        raise UsageError(
            f"--in-process runs one trial in this very process: {', '.join(given)} cannot be kept to",
            "leave out the one or the other",
        )
    if isinstance(place := artifacts_folder(), str):
        Remote(place).check()


def _check_body(
    engine: str, ray_address: str | None, slots: int | None, slots_per_gpu: int | str | None, threads: int | None
) -> PerGpu | None:
    """The slots per GPU that were asked for, if the engine's words make sense together and on this machine."""
    per_gpu = _per_gpu(slots_per_gpu)
    if engine not in ("local", "ray"):
        raise UsageError(f"unknown engine '{engine}'", "give local or ray")
    if engine == "local":
        if ray_address is not None:
            raise UsageError("--ray-address was given without --engine ray", "add --engine ray, or leave it out")
        devices.slots(slots, per_gpu, threads)
    return per_gpu


def _per_gpu(wish: int | str | None) -> PerGpu | None:
    """Slots per GPU as a number, or `auto`; UsageError for anything else."""
    if wish is None or isinstance(wish, int):
        return wish
    if wish == "auto":
        return "auto"
    try:
        return int(wish)
    except ValueError:
        raise UsageError(f"--slots-per-gpu '{wish}' is no number", "give a number, or auto") from None

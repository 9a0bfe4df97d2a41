"""The queue of a service: studies that wait for its slots, and the owners that share them."""

from collections.abc import Mapping
from typing import Any

from fersearch.context import open_store
from fersearch.errors import UsageError
from fersearch.exported_models import ExportedModels
from fersearch.store.queue import DiskUse, Owner, Queued
from fersearch.study import Keep


def queue_study(name: str, storage: str | None = None, **options: Any) -> None:
    """Put a study at the end of the queue of the service on its database, or let a paused one go on.

    Args:
        options: fields of `fersearch.run_options.RunOptions` that each run sets for itself: `trials`,
            `timeout`, `keep`, `hung_after`, `grace`.

    Raises:
        UnknownName: there is no such study.
        UsageError: an option is the service's to set, or its value is invalid.
        StudyBusy: it runs, and options were given.
    """
    checked = run_request(options)
    with open_store(storage) as store:
        store.enqueue(name, checked)


def pause_study(name: str, storage: str | None = None) -> bool:
    """Pause a study: its driver finishes the current epochs, saves and exits; it runs again once it is queued.

    Returns:
        Whether it ran or waited in the queue; if not, nothing changes.

    Raises:
        UnknownName: there is no such study.
    """
    with open_store(storage) as store:
        return store.pause(name)


def list_queue(storage: str | None = None) -> list[Queued]:
    """Return the studies in the queue of a service, oldest first."""
    with open_store(storage) as store:
        return store.queue()


def place_in_queue(name: str, storage: str | None = None) -> int:
    """Return the place of a study in the queue, from 1; 0 if it is not queued."""
    names = [queued.study for queued in list_queue(storage)]
    return names.index(name) + 1 if name in names else 0


def list_owners(storage: str | None = None) -> dict[str, Owner]:
    """Return the owners that have their own weight or limit, by name."""
    with open_store(storage) as store:
        return store.owners()


def disk_by_owner(storage: str | None = None) -> dict[str, DiskUse]:
    """Return the disk use of each owner's studies, by the owner's name.

    Files that studies of several owners share count for each owner.
    """
    sizes = ExportedModels().sizes()
    with open_store(storage) as store:
        used, having = store.disk(), store.owners_of(sizes)
    exported = {owner: [sizes[digest] for name, digest in having if name == owner] for owner in used}
    return {
        owner: DiskUse(count, size, len(exported[owner]), sum(exported[owner])) for owner, (count, size) in used.items()
    }


def set_owner(name: str, weight: float = 1.0, max_slots: int | None = None, storage: str | None = None) -> Owner:
    """Set an owner's weight in the sharing of slots, and its limit of slots.

    Raises:
        UsageError: the weight is not above zero, or the limit below zero.
    """
    if not 0 < weight < 1e6:
        raise UsageError(f"weight {weight:g} cannot be used", "give a number above 0, as 2 for twice the slots")
    if max_slots is not None and max_slots < 0:
        raise UsageError(f"{max_slots} slots at most cannot be used", "give 0 or more")
    owner = Owner(name, weight, max_slots)
    with open_store(storage, create=True) as store:
        store.set_owner(owner)
    return owner


def run_request(options: Mapping[str, Any]) -> dict[str, Any]:
    """Validate the options of a queued run and return them.

    Raises:
        UsageError: an option is the service's to set, or a value is invalid.
    """
    from pydantic import ValidationError

    from fersearch.api.records.service import RunRequest
    from fersearch.engines.backends import check_run

    if other := [name for name in options if name not in RunRequest.model_fields]:
        offered = ", ".join(RunRequest.model_fields)
        raise UsageError(f"a service sets {', '.join(other)} itself", f"what a run may set: {offered}")
    try:
        request = RunRequest(**options).model_dump(exclude_none=True)
    except ValidationError as error:
        lines = [f"{one['loc'][0]}: {one['msg'][:1].lower()}{one['msg'][1:]}" for one in error.errors()]
        raise UsageError("the run's options cannot be used", "\n".join(lines)) from None
    if "keep" in request:
        Keep.parse(request["keep"])
    check_run(**request, observe=())
    return request

"""Five gauges of a service in the text format of Prometheus."""

from fersearch import api
from fersearch.service.context import Service
from fersearch.study import StudyState


def gauges(service: Service) -> str:
    """Return the gauges studies by state, slots, slots in use, listeners and running trials, with help lines."""
    studies = api.list_studies(service.settings.storage)
    states = {state: sum(one.state is state for one in studies) for state in StudyState}
    used = sum(len(slots) for slots in service.supervisor.assigned.values())
    used += sum(one.slot is not None for one in service.supervisor.reservations.all())
    running = sum(one.counts.get("running", 0) for one in studies)
    lines = ["# HELP fersearch_studies Studies by state.", "# TYPE fersearch_studies gauge"]
    lines += [f'fersearch_studies{{state="{state.value}"}} {count}' for state, count in states.items()]
    for name, text, value in (
        ("slots", "Slots of the service.", service.supervisor.slots),
        ("slots_used", "Slots that studies and reruns may use now.", used),
        ("trials_running", "Trials under way.", running),
        ("event_listeners", "Clients of the event stream.", service.stream.listeners),
    ):
        lines += [f"# HELP fersearch_{name} {text}", f"# TYPE fersearch_{name} gauge", f"fersearch_{name} {value}"]
    return "\n".join(lines) + "\n"

"""Events come to whoever listens in their order and none is lost, whoever writes them and however slowly."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from fersearch.service.problems import ProblemError
from fersearch.service.stream import EventStream, format_cursor, parse_cursor
from fersearch.space import Choice, Space
from fersearch.store import Store
from fersearch.store.events import StoredEvent
from fersearch.study import Objective, StudySpec
from fersearch.trial import Attempt, Epoch, Trial
from tests.postgres import Server, Unavailable

EPOCHS = 40


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    try:
        server = Server()
    except Unavailable as reason:
        pytest.skip(str(reason))
    yield server
    server.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path) -> Iterator[Store]:
    sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path / 'events.db'}" if sqlite else request.getfixturevalue("server").create()
    with Store.open(url) as opened:
        yield opened


def make(store: Store, name: str) -> int:
    objectives = (Objective("f1_macro", "max"),)
    return store.create_study(StudySpec(name, "cnn", "faces", objectives, Space({"a": Choice(1)}))).id


def write(store: Store, study_id: int, pause: float) -> None:
    """Write a trial of many epochs, slowly, as the driver of a study does."""
    with store.writer(study_id) as writer:
        writer.add_trial(Trial(0, {"a": 1}))
        writer.start_attempt(0, Attempt(1))
        for number in range(1, EPOCHS + 1):
            writer.record(0, 1, Epoch(number, {"f1_macro": 0.5, "parameters": 3.0}, seconds=1.0))
            time.sleep(pause)


async def received(
    stream: EventStream, cursor: dict[int, int] | None, over: Callable[[list[StoredEvent]], bool]
) -> list:
    events: list[StoredEvent] = []
    positions: list[str] = []
    async for position, event in stream.listen(cursor):
        events.append(event)
        positions.append(position)
        if over(events):
            break
    return [events, positions]


def both_are_over(events: list[StoredEvent]) -> bool:
    return sum(event.data.get("epoch") == EPOCHS for event in events) == 2


def listen(store: Store, cursor: dict[int, int] | None, over: Callable[[list[StoredEvent]], bool]) -> list:
    async def main() -> list:
        stream = EventStream(store)
        stream.start(asyncio.get_running_loop())
        try:
            return await asyncio.wait_for(received(stream, cursor, over), 60)
        finally:
            stream.close()

    return asyncio.run(main())


def test_of_two_slow_writers_nothing_is_lost_and_a_cursor_goes_on_where_it_was(store: Store):
    ids = [make(store, "one"), make(store, "two")]
    writers = [
        threading.Thread(target=write, args=(store, key, pause)) for key, pause in zip(ids, (0.03, 0.05), strict=True)
    ]
    for writer in writers:
        writer.start()
    events, positions = listen(store, {}, both_are_over)
    for writer in writers:
        writer.join()
    for key in ids:
        numbers = [event.id for event in events if event.study_id == key]
        assert numbers == list(range(1, len(numbers) + 1)), "an event is lost, told twice or out of its order"
        assert [event.data["epoch"] for event in events if event.study_id == key and event.kind == "epoch"] == list(
            range(1, EPOCHS + 1)
        )
    middle = len(events) // 2
    later, _ = listen(store, parse_cursor(positions[middle]), both_are_over_after(events[: middle + 1]))
    assert {(one.study_id, one.id) for one in later} == {(one.study_id, one.id) for one in events[middle + 1 :]}


def both_are_over_after(before: list[StoredEvent]) -> Callable[[list[StoredEvent]], bool]:
    return lambda events: both_are_over([*before, *events])


def test_nothing_is_lost_while_the_reader_of_events_is_slow_to_begin(store: Store, monkeypatch: pytest.MonkeyPatch):
    study_id = make(store, "one")
    last_events = store.last_events

    def slowly() -> dict[int, int]:
        if threading.current_thread().name == "fersearch-events":
            time.sleep(0.5)
        return last_events()

    monkeypatch.setattr(store, "last_events", slowly)
    writer = threading.Thread(target=write, args=(store, study_id, 0.02))
    writer.start()
    events, _ = listen(store, {}, lambda events: events[-1].data.get("epoch") == EPOCHS)
    writer.join()
    assert [event.id for event in events] == list(range(1, len(events) + 1))


def test_an_event_tells_the_objectives_and_losses_of_an_epoch_alone(store: Store):
    study_id = make(store, "one")
    write(store, study_id, 0)
    (event,) = [one for one in store.events_after({study_id: 0}) if one.data.get("epoch") == 3]
    assert (event.kind, event.trial, event.study) == ("epoch", 0, "one")
    assert event.data == {"epoch": 3, "round": 1, "seconds": 1.0, "values": {"f1_macro": 0.5}}


def test_numbers_go_on_from_run_to_run_and_old_events_go_but_for_the_last(
    store: Store, monkeypatch: pytest.MonkeyPatch
):
    study_id = make(store, "one")
    write(store, study_id, 0)
    last = store.last_event(study_id)
    monkeypatch.setattr("fersearch.store.writer.DAYS", 0)
    with store.writer(study_id) as writer:
        writer.study_changed("state", {"state": "idle"})
    with store.writer(study_id) as writer:
        writer.front_changed([0])
    numbers = [one.id for one in store.events_after({study_id: 0})]
    assert numbers[-1] == last + 2
    assert len(numbers) <= 2


@pytest.mark.parametrize("text", ["x", "1", "1.2.3", "1.a", "1.2-"])
def test_what_is_no_cursor_is_refused(text: str):
    with pytest.raises(ProblemError, match="is not a cursor"):
        parse_cursor(text)


def test_a_cursor_is_read_as_it_was_written():
    assert parse_cursor(format_cursor({3: 17, 1: 4})) == {1: 4, 3: 17}
    assert parse_cursor(None) is parse_cursor("") is None

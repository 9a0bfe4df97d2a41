"""What is enqueued stays in the database until it is a trial."""

import math

from fersearch.store import Store, StudyRow
from fersearch.store.control import ENQUEUE, SLOTS
from fersearch.store.prior import WarmStart
from fersearch.trial import Enqueued, Trial, TrialState
from tests.store.conftest import make_spec

FIRST, SECOND = Enqueued("1" * 32, {"optimizer": "adam", "learning_rate": 0.1}), Enqueued("2" * 32, {}, "other 3")


def test_it_goes_with_the_trial_that_it_becomes(store: Store, study: StudyRow) -> None:
    store.enqueue_trials(study.id, [FIRST, SECOND])
    assert store.enqueued(study.id) == [FIRST, SECOND]
    with store.writer(study.id) as writer:
        writer.add_trial(Trial(0, {"optimizer": "adam"}, sampler_state={"enqueued": {"uid": FIRST.uid, "given": {}}}))
        writer.withdraw(FIRST)
    assert store.enqueued(study.id) == [SECOND]
    assert [event.kind for event in store.events_after({study.id: 0})] == ["changed"]


def test_a_driver_that_dies_with_it_in_hand_loses_nothing(store: Store, study: StudyRow) -> None:
    store.enqueue_trials(study.id, [FIRST])
    with store.control(study.id) as control:
        control._fetch()
        assert [Enqueued(**request.payload) for request in control.take() if request.kind == ENQUEUE] == [FIRST]
    assert store.enqueued(study.id) == [FIRST]


def test_a_request_that_got_the_number_of_a_removed_one_is_taken(store: Store, study: StudyRow) -> None:
    with store.control(study.id) as control:
        for slots in ([0], [1], [1, 2]):
            store.give_slots(study.id, slots)
            control._fetch()
            assert [request.payload for request in control.take() if request.kind == SLOTS] == [{"slots": slots}]


def test_a_study_is_created_with_what_it_is_started_with(store: Store) -> None:
    prior = [Trial(4, {"optimizer": "adam"}, TrialState.COMPLETE, {"f1_macro": 0.5, "auc": math.inf})]
    store.create_studies(
        [(make_spec("warm"), [], WarmStart(prior, [FIRST, SECOND])), (make_spec("cold"), [], WarmStart())]
    )
    warm, cold = store.study("warm"), store.study("cold")
    assert (store.prior(warm.id), store.enqueued(warm.id)) == (prior, [FIRST, SECOND])
    assert (store.prior(cold.id), store.enqueued(cold.id)) == ([], [])
    store.delete_study("warm")
    assert store.prior(warm.id) == []

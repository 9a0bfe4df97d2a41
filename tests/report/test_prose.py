from dataclasses import replace

import pytest

from fersearch.report import prose
from fersearch.report.inputs import Absent
from fersearch.study import Origin, Protocol
from fersearch.trial import TrialState
from tests.report import fakes


def protocol_text(**changes: object) -> str:
    record = fakes.record(2)
    return " ".join(prose.protocol(replace(record, spec=replace(record.spec, **changes))))


def test_the_protocol_names_data_seed_and_test():
    text = protocol_text()
    assert "faces with image_size=8. 3 classes (anger, joy & hope, fear_100%); grey images of 8x8 pixels" in text
    assert "90 train, 60 valid; content digest abababababab" in text
    assert "with seed 42" in text
    assert "Test: never opened." in text


@pytest.mark.parametrize(
    ("protocol", "says"),
    [
        (Protocol("official"), "the dataset's official one. Each trial is trained once."),
        (Protocol("ratios", (0.6, 0.2, 0.2), by="chance"), "drawn 60/20/20 at random"),
        (Protocol("kfold", folds=10, repeats=2), "10 folds drawn"),
        (Protocol("kfold", folds=10, repeats=2), "once for each fold, repeated 2 times with different seeds"),
        (
            Protocol("loso", (0.8, 0.0, 0.2)),
            "each subject validates once; 20 % of all images are held out as the test split",
        ),
        (Protocol(repeats=5), "several times, repeated 5 times with different seeds"),
        (Protocol(duplicates="drop"), "are dropped"),
        (Protocol(duplicates="near"), "in valid or test (equal or nearly equal) are dropped"),
    ],
)
def test_every_way_to_split_has_a_description(protocol, says):
    assert says in protocol_text(protocol=protocol)


def test_limit_and_weights_are_reported():
    assert "limited to a stratified subset of 600 images" in protocol_text(limit=600)
    assert "start from weights imagenet" in protocol_text(weights="imagenet")


def test_looks_at_test_are_counted_with_what_they_gave():
    record = replace(fakes.record(2), looks=[fakes.look(accuracy=0.7257), fakes.look(accuracy=0.75)])
    assert "Test: opened 2 times (accuracy 0.7257; accuracy 0.7500)." in " ".join(prose.protocol(record))


def test_missing_data_is_reported_as_missing():
    record = replace(fakes.record(2), data=Absent("The dataset is not available: gone."))
    assert "The dataset is not available: gone." in prose.protocol(record)[0]


def test_the_summary_of_an_empty_study():
    record = fakes.record(0, front=[], chosen=[], trials=[fakes.trial(0, state=TrialState.FAILED)])
    assert prose.summary(record)[1].startswith("No trial is complete")


def test_the_study_that_one_was_started_from_is_reported():
    text = protocol_text(origin=Origin("earlier", "ab" * 32, 9, 1))
    assert "started from study earlier (data abababababab): its sampler knew 9 trials of it" in text
    assert "and of its front 1 configuration came first." in text
    assert "started from" not in protocol_text()

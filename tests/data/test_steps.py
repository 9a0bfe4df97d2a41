"""Each step on a picture whose pixels show where they come from."""

import json

import numpy as np
import pytest
from PIL import Image

from fersearch import Dataset, FersearchError
from fersearch.data.preprocess import STEPS
from fersearch.data.step_lists import boxed, cropped, declared, default_of, describe, shaped, standard, with_preprocess
from fersearch.data.steps import Annotation, Transform, annotation_of
from fersearch.errors import DataError
from tests.drawn_face import photograph

ROWS, COLUMNS = np.mgrid[0:40, 0:60]
RAMP = Image.fromarray((ROWS * 3 + COLUMNS).astype(np.uint8))  # 60 wide, 40 high
FIT = standard(20, 1)


def made(steps, image=RAMP, known=None):
    return Transform.of(steps)(image, known, "a.png")


def test_the_middle_square_is_the_default():
    assert np.array_equal(made(standard(40, 1))[0], np.asarray(RAMP)[:, 10:50])
    assert made(standard(40, 3)).shape == (3, 40, 40)


def test_the_whole_picture_is_squeezed_or_laid_on_black():
    squeezed = made([{"step": "squeeze", "size": 30}, {"step": "colour", "channels": 1}])[0]
    assert abs(int(squeezed[0, 0]) - int(np.asarray(RAMP)[0, 0])) < 3
    assert abs(int(squeezed[-1, -1]) - int(np.asarray(RAMP)[-1, -1])) < 3
    padded = made([{"step": "pad", "size": 60}, {"step": "colour", "channels": 1}])[0]
    assert not padded[:10].any()
    assert not padded[50:].any()
    assert np.array_equal(padded[10:50], np.asarray(RAMP))


@pytest.mark.parametrize(
    ("margin", "part"),
    [(1.0, (slice(10, 20), slice(30, 40))), (2.0, (slice(5, 25), slice(25, 45)))],
)
def test_a_box_is_cut_with_its_margin(margin, part):
    steps = [{"step": "box", "margin": margin}, *standard(part[0].stop - part[0].start, 1)]
    assert np.array_equal(made(steps, known=Annotation((30, 10, 40, 20)))[0], np.asarray(RAMP)[part])


def test_a_box_is_cut_as_far_as_it_reaches_into_the_picture_and_refused_outside():
    steps = boxed(10, 1)
    assert np.array_equal(made(steps, known=Annotation((50, -5, 70, 10)))[0], np.asarray(RAMP)[0:10, 50:60])
    with pytest.raises(DataError, match=r"box \(70, 0, 80, 10\) lies outside image a.png, which is 60x40"):
        made(steps, known=Annotation((70, 0, 80, 10)))


def test_the_square_around_landmarks_is_moved_into_the_picture():
    steps = [{"step": "landmarks", "margin": 1.2}, *standard(12, 1)]
    points = [(30, 10), (40, 20)]
    assert np.array_equal(made(steps, known=Annotation(landmarks=points))[0], np.asarray(RAMP)[9:21, 29:41])
    corner = [(52, 30), (62, 40)]
    assert np.array_equal(made(steps, known=Annotation(landmarks=corner))[0], np.asarray(RAMP)[28:40, 48:60])


def test_what_is_not_known_of_a_picture_leaves_it_whole():
    for cut in ({"step": "box"}, {"step": "landmarks"}):
        assert np.array_equal(made([cut, *FIT]), made(FIT))
        assert Transform.of([cut, *FIT]).needs
    assert not Transform.of(FIT).needs


def test_a_detected_face_replaces_unknown_steps():
    picture = photograph(300, (60, 160))
    steps = boxed(48, 1)
    result = Transform.of(steps, find=True)(picture)
    assert not np.array_equal(result, made(steps, picture))
    assert np.array_equal(Transform.of(steps, find=True)(RAMP.resize((100, 100))), made(steps, RAMP.resize((100, 100))))
    assert annotation_of((1, 2, 10, 20)).box == (1, 2, 11, 22)


def test_every_preprocessing_is_a_step():
    for name in STEPS:
        assert Transform.of(with_preprocess(FIT, {"preprocess": name})).preprocess == name


def test_preprocessing_comes_last_and_once_also_for_merged_sources():
    wide = {"step": "squeeze", "size": 20}
    lists = {"a": [wide, {"step": "colour", "channels": 1}], "b": FIT}
    merged = [{"step": "by_source", "default": "b", "sources": lists}]
    both = with_preprocess(merged, {"preprocess": "illumination"})
    for source, steps in (("a", lists["a"]), ("b", FIT), ("", FIT)):
        expected = made(with_preprocess(steps, {"preprocess": "illumination"}))
        assert np.array_equal(made(both, known=Annotation(source=source)), expected)
    assert default_of(both) == [*FIT, {"step": "preprocess", "name": "illumination"}]


def test_steps_are_plain_data_and_described():
    steps = [{"step": "depth", "bits": 12}, *boxed(48, 3)]
    assert json.loads(json.dumps(steps)) == steps
    assert describe(steps) == "box margin 1.0, colour channels 3, fit size 48"
    assert Transform.of(steps).bits == 12


@pytest.mark.parametrize(
    ("steps", "where"),
    [
        ([{"step": "spin"}], "steps.0"),
        ([{"step": "fit"}], "steps.0.fit.size"),
        ([{"step": "fit", "size": 10**9}], "steps.0.fit.size"),
        ([{"step": "fit", "size": 48, "more": 1}], "steps.0.fit.more"),
        ([{"step": "box", "margin": 0}], "steps.0.box.margin"),
        ([{"step": "colour", "channels": 2}], "steps.0.colour.channels"),
        ([{"step": "by_source", "default": "a", "sources": {}}], "steps.0.by_source.sources"),
        ([{"step": "preprocess", "name": "gone"}], "steps.0.preprocess.name"),
        ([7], "steps.0"),
        ([dict(FIT[0])] * 17, "steps."),
    ],
)
def test_steps_that_make_no_sense_are_refused_with_their_place(steps, where):
    with pytest.raises(FersearchError) as caught:
        Transform.of(steps)
    assert caught.value.message.startswith(where)


SQUEEZE = cropped({"crop": "none", "image_size": 20})
MARKS = cropped({"crop": "landmarks", "image_size": 20})


@pytest.mark.parametrize(
    ("own", "trained", "annotated", "expected"),
    [
        (FIT, SQUEEZE, False, SQUEEZE),
        (FIT, MARKS, False, MARKS),
        (boxed(20, 1), FIT, True, boxed(20, 1)),
        (boxed(20, 1), SQUEEZE, True, [{"step": "box", "margin": 1.0}, *SQUEEZE]),
        (boxed(20, 1), MARKS, True, boxed(20, 1)),
        (boxed(20, 1), [{"step": "box", "margin": 1.5}, *FIT], True, [{"step": "box", "margin": 1.5}, *FIT]),
        ([{"step": "depth", "bits": 12}, *FIT], [{"step": "depth", "bits": 8}, *FIT], False, None),
    ],
)
def test_pictures_take_the_shape_of_others_and_keep_their_own_faces_and_depth(own, trained, annotated, expected):
    assert shaped(own, trained, annotated) == (own if expected is None else expected)


class Plain(Dataset):
    name = "plain"
    files = read = label = None


class Cut(Plain):
    decoding = {**Dataset.decoding, "crop": None}


def test_a_dataset_with_options_of_its_own_must_say_what_they_do(monkeypatch):
    for kind in (Plain, Cut):
        monkeypatch.setattr(kind, "__abstractmethods__", frozenset())
    assert declared(Plain(), {"image_size": 20, "channels": 1}) == FIT
    assert declared(Cut(), {"image_size": 20, "channels": 1, "crop": "none"}) is None

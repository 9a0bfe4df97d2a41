"""Shares are made as sure as the model was right on validation, and no label changes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fersearch.evaluation.calibration import calibrated, temperature_of

SHARES = arrays(np.float64, (5, 4), elements=st.floats(0.01, 1)).map(lambda a: a / a.sum(1, keepdims=True))


@given(SHARES, st.floats(0.2, 5))
def test_labels_stay_and_rows_sum_to_one(shares: np.ndarray, temperature: float):
    changed = calibrated(shares.astype(np.float32), temperature)
    assert np.allclose(changed.sum(axis=1), 1, atol=1e-5)
    best = shares.max(axis=1)
    assert np.allclose(shares[np.arange(5), changed.argmax(axis=1)], best, atol=1e-6)


@given(arrays(np.float64, (3, 4), elements=st.floats(-5, 5)), st.floats(0.2, 5))
def test_it_is_a_softmax_of_logits_divided_by_the_temperature(logits: np.ndarray, temperature: float):
    def softmax(values: np.ndarray) -> np.ndarray:
        powers = np.exp(values - values.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)

    assert np.allclose(calibrated(softmax(logits), temperature), softmax(logits / temperature), atol=1e-5)


def test_a_card_without_a_temperature_changes_nothing():
    shares = np.array([[0.25, 0.75]], np.float32)
    assert temperature_of({"metrics": {}}) == temperature_of({}) == temperature_of({"metrics": {"temperature": None}})
    assert calibrated(shares, temperature_of({})) is shares
    assert temperature_of({"metrics": {"temperature": 1.5}}) == 1.5
    exported = {"metrics": {"temperature": 1.5}, "onnx": {"temperature": 1.5}}
    assert temperature_of(exported) == 1.0, "the file has it inside"

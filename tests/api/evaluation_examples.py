"""Examples of what an evaluation, a check of images and a prediction give."""

from fersearch.data.near_check import NearDuplicates
from fersearch.evaluation.predict import Prediction
from fersearch.training.evaluate import Scores

EVALUATION = {
    "dataset": "jaffe",
    "split": "all",
    "n": 3,
    "classes": ("anger", "neutral"),
    "metrics": {"accuracy": 0.75},
    "confusion": ((1, 0), (0, 2)),
    "per_class": {"anger": {"f1": 1.0, "support": 1}},
}
WHOLE = Scores(("anger", "neutral"), ("anger", "fear", "neutral"), {"accuracy": 0.5}, {}, ((0, 1, 0), (0, 0, 2)))
NEAR = (NearDuplicates(("train", "valid"), 2, 1, 1, (("a.png", "b.png"),)),)
PREDICTION = Prediction("a.png", "anger", {"anger": 0.75, "fear": 0.25}, (1, 2, 30, 40))

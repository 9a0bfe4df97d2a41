"""Whether a model's confidence matches its accuracy, and the temperature that calibrates it."""

from typing import TYPE_CHECKING

from fersearch import Evaluation, Metric, hookimpl

if TYPE_CHECKING:
    import numpy as np

BINS = 15
SMALLEST = 1e-38  # of a share in float32: what a model excludes has no logarithm
RANGE = (0.2, 5.0)  # of a temperature: beyond it a model says next to nothing, or is never wrong


class ExpectedCalibrationError(Metric):
    """The expected calibration error of the predicted class, in 15 bins of equal width.

    Source: Guo, Pleiss, Sun, Weinberger: On Calibration of Modern Neural Networks, 2017 (arXiv:1706.04599).
    """

    name = "ece"
    summary = "gap between a model's confidence and its accuracy: expected calibration error, 15 bins"
    direction = "min"

    def compute(self, evaluation: Evaluation) -> float:
        import numpy as np

        shares = evaluation.probabilities
        sure, right = shares.max(1).astype(np.float64), shares.argmax(1) == evaluation.labels
        bins = np.minimum((sure * BINS).astype(np.int64), BINS - 1)
        gaps = np.bincount(bins, weights=right - sure, minlength=BINS)
        return float(np.abs(gaps).sum() / len(sure))


class BrierScore(Metric):
    """The Brier score over all classes: the mean squared distance of class shares from the true class, from 0 to 2.

    With two classes it is twice the score of the one class. Source: Brier: Verification of Forecasts Expressed in
    Terms of Probability, 1950 (doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2).
    """

    name = "brier"
    summary = "squared error of all class shares, summed over classes: Brier score, 0 to 2"
    direction = "min"

    def compute(self, evaluation: Evaluation) -> float:
        import numpy as np

        errors = evaluation.probabilities.astype(np.float64)
        errors[np.arange(len(errors)), evaluation.labels] -= 1
        return float((errors**2).sum(1).mean())


class Temperature(Metric):
    """The temperature by which logits are divided so that the log loss is least; above 1 a model is overconfident.

    Class shares p become p ** (1 / T), scaled to sum to 1: no predicted label changes. Source: as for `ece`.
    """

    name = "temperature"
    summary = "the best calibrating temperature T, shares to the power of 1/T; above 1: overconfident"
    direction = "min"

    def compute(self, evaluation: Evaluation) -> float:
        import numpy as np
        from scipy.optimize import minimize_scalar

        logits = np.log(np.maximum(evaluation.probabilities.astype(np.float64), SMALLEST))
        rows = np.arange(len(logits))

        def loss(log_temperature: float) -> float:
            return _log_loss(logits / np.exp(log_temperature), rows, evaluation.labels)

        optimum = minimize_scalar(loss, bounds=tuple(np.log(RANGE)), method="bounded", options={"xatol": 1e-3})
        return float(np.exp(optimum.x))


def _log_loss(logits: "np.ndarray", rows: "np.ndarray", labels: "np.ndarray") -> float:
    import numpy as np

    top = logits.max(1)
    total = np.log(np.exp(logits - top[:, None]).sum(1)) + top
    return float((total - logits[rows, labels]).mean())


CALIBRATION = (ExpectedCalibrationError, BrierScore, Temperature)


@hookimpl
def register_metrics(register):
    """Register the metrics of calibration."""
    for kind in CALIBRATION:
        register(kind())

"""What a model costs: seconds, memory and size. 1 MB = 2**20 bytes."""

from fersearch import Evaluation, Metric, hookimpl

MB = 2**20


class Measured(Metric):
    """A clock or a counter: less is better."""

    direction = "min"
    measured = True


class TrainSeconds(Measured):
    """Wall seconds of training, without start-up and validation."""

    name = "train_seconds"
    summary = "wall seconds of training, without start-up and validation"
    unit = "s"
    cumulative = True
    whole_trial = True
    log_scale = True

    def compute(self, evaluation: Evaluation) -> float:
        return evaluation.train_seconds


class CpuSeconds(Measured):
    """CPU seconds of training, of all threads together."""

    name = "cpu_seconds"
    summary = "CPU seconds of training, all threads together"
    unit = "s"
    cumulative = True
    whole_trial = True
    log_scale = True

    def compute(self, evaluation: Evaluation) -> float:
        return evaluation.cpu_seconds


class EvalSeconds(Measured):
    """Wall seconds of one pass over the validation split."""

    name = "eval_seconds"
    summary = "wall seconds of one pass over the split"
    unit = "s"
    log_scale = True

    def compute(self, evaluation: Evaluation) -> float:
        return evaluation.eval_seconds


class PeakMemory(Measured):
    """The highest memory during training, above what the process held before the model was built."""

    name = "peak_memory_mb"
    summary = "highest memory during training, above that before the model was built"
    unit = "MB"
    whole_trial = True
    log_scale = True

    def compute(self, evaluation: Evaluation) -> float:
        return evaluation.peak_memory_bytes / MB


class MeanMemory(Measured):
    """The average memory during training, above what the process held before the model was built."""

    name = "mean_memory_mb"
    summary = "average memory during training, above that before the model was built"
    unit = "MB"
    whole_trial = True
    log_scale = True

    def compute(self, evaluation: Evaluation) -> float:
        return evaluation.mean_memory_bytes / MB


class Parameters(Measured):
    """The number of weights, trained and frozen."""

    name = "parameters"
    summary = "number of weights, trained and frozen"
    log_scale = True
    of_model = True

    def compute(self, evaluation: Evaluation) -> float:
        return float(evaluation.parameters)


class ModelSize(Measured):
    """What the weights and statistics take on disk."""

    name = "model_mb"
    summary = "size of the weights on disk"
    unit = "MB"
    log_scale = True
    of_model = True

    def compute(self, evaluation: Evaluation) -> float:
        return evaluation.model_bytes / MB


class GigaFlops(Measured):
    """Floating-point operations of one image through the model, in 10**9: a multiplication and an addition are two."""

    name = "gflops"
    summary = "10**9 floating-point operations of one image through the model"
    unit = "GFLOP"
    log_scale = True
    of_model = True

    def compute(self, evaluation: Evaluation) -> float:
        return evaluation.flops / 1e9


class Latency(Measured):
    """Milliseconds of one image through the model on the trial's device."""

    name = "latency_ms"
    summary = "milliseconds of one image through the model"
    unit = "ms"
    log_scale = True
    of_model = True

    def compute(self, evaluation: Evaluation) -> float:
        return evaluation.latency_seconds * 1000


MEASURED = (TrainSeconds, CpuSeconds, EvalSeconds, PeakMemory, MeanMemory, Parameters, ModelSize, GigaFlops, Latency)


@hookimpl
def register_metrics(register):
    """Register the metrics that read clocks and counters."""
    for metric in MEASURED:
        register(metric())

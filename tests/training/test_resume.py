"""What is counted of a trial, over its epochs and attempts."""

from collections.abc import Callable
from dataclasses import asdict

import numpy as np
import torch

from fersearch.data.arrays import Loaded
from fersearch.training.evaluate import Validation
from fersearch.training.figures import SHAPE_FIGURES
from fersearch.training.measure import Clock, PeakMemory
from fersearch.training.resume import Progress

CPU = torch.device("cpu")


def test_the_average_memory_counts_every_look_once_also_after_a_resume(patterns: Callable[..., Loaded]) -> None:
    loaded = patterns(48)
    judged = Validation(np.full((2, loaded.task.num_classes), 0.25, np.float32), np.array([0, 1]), 1.0, 0.5)
    progress = Progress()
    memory = PeakMemory(CPU)
    for number, (total, looks) in enumerate([(300, 3), (600, 3)], 1):
        memory.total, memory.looks = total, looks
        progress.add(number, Clock(CPU), memory)
    resumed = Progress()
    vars(resumed).update(asdict(progress))
    memory.total, memory.looks = 300, 6
    resumed.add(3, Clock(CPU), memory)
    figures = dict.fromkeys(SHAPE_FIGURES, 1)
    assert progress.evaluation(judged, loaded.task, figures, lambda: 0.001).mean_memory_bytes == 150
    assert resumed.evaluation(judged, loaded.task, figures, lambda: 0.001).mean_memory_bytes == 100

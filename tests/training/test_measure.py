"""Clocks and counters count what they say."""

import threading
import time

import pytest
import torch
from fersearch_architectures.cnn import Cnn
from fersearch_architectures.resnet import ResNet18

from fersearch import Task
from fersearch.training import measure
from fersearch.training.pauses import pausing
from fersearch.training.summary import count_on_meta

CPU = torch.device("cpu")
MB = 2**20


def test_the_clock_counts_only_its_blocks_and_sums_them() -> None:
    clock = measure.Clock(CPU, seconds=10.0)
    for _ in range(2):
        with clock.running():
            time.sleep(0.03)
        time.sleep(0.2)
    assert 10.06 <= clock.seconds < 10.2 + 0.06
    assert clock.cpu_seconds < clock.seconds - 10


def test_peak_memory_is_the_highest_above_the_start_and_survives_being_freed() -> None:
    held = torch.ones(8 * MB)
    memory = measure.PeakMemory(CPU)
    with memory.watching():
        block = torch.ones(16 * MB)
        time.sleep(3 * measure.INTERVAL)
        del block
    assert 60 * MB < memory.peak < 90 * MB
    with memory.watching():
        time.sleep(2 * measure.INTERVAL)
    assert memory.peak < 90 * MB
    assert held.numel() == 8 * MB


def test_the_average_memory_is_that_of_the_whole_time() -> None:
    memory = measure.PeakMemory(CPU)
    with memory.watching():
        time.sleep(5 * measure.INTERVAL)
        block = torch.ones(16 * MB)
        time.sleep(5 * measure.INTERVAL)
    mean = memory.total / memory.looks
    assert 0.2 * memory.peak < mean < 0.8 * memory.peak
    assert block.numel() == 16 * MB


def test_even_the_shortest_epoch_is_looked_at_once() -> None:
    memory = measure.PeakMemory(CPU)
    with memory.watching():
        pass
    assert memory.looks == 1


def test_memory_that_was_freed_before_does_not_hide_what_is_used_after() -> None:
    small = [torch.ones(2**14) for _ in range(1000)]
    last = torch.ones(2**14)
    del small
    memory = measure.PeakMemory(CPU)
    with memory.watching():
        again = [torch.ones(2**14) for _ in range(1000)]
        time.sleep(2 * measure.INTERVAL)
    assert memory.peak > 50 * MB
    assert len(again) == 1000
    assert last.numel() == 2**14


def test_a_mapped_file_is_no_private_memory(tmp_path: object) -> None:
    import numpy as np

    path = f"{tmp_path}/big.npy"
    np.save(path, np.ones(64 * MB, np.uint8))
    mapped = np.load(path, mmap_mode="r")
    memory = measure.PeakMemory(CPU)
    with memory.watching():
        assert int(mapped.sum()) == 64 * MB
        time.sleep(2 * measure.INTERVAL)
    assert memory.peak < 32 * MB


def test_watching_leaves_no_thread_behind() -> None:
    before = threading.active_count()
    with pytest.raises(KeyError), measure.PeakMemory(CPU).watching():
        raise KeyError
    assert threading.active_count() == before


def test_the_portable_reading_agrees_with_the_one_of_linux() -> None:
    both = measure._Resident()(), measure._private_memory()()
    assert both[0] == pytest.approx(both[1], rel=0.2)


def test_size_of_a_model() -> None:
    model = Cnn().build({"dropout": 0.0}, Task(tuple("abcdefgh")))
    assert measure.parameters(model) == 169_100
    statistics = (6 + 16) * 2 * 4 + 2 * 8
    assert measure.model_bytes(model) == 169_100 * 4 + statistics


def test_weights_are_counted_without_memory_for_them() -> None:
    params = {"dropout": 0.0, "freeze": "all_but_first_and_last"}
    counted = count_on_meta(ResNet18(), params, Task(tuple("abcdefghij")))
    assert counted == {"total": 11_175_370, "trainable": 8_266}


def test_a_pause_counts_for_no_clock() -> None:
    clock = measure.Clock(torch.device("cpu"))
    for _ in range(2):
        with clock.running():
            with pausing():
                time.sleep(0.05)
            assert clock.passed < 0.05
    assert 0 < clock.seconds < 0.05

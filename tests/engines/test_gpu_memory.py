"""What fits beside what, by figures alone."""

import pytest

from fersearch.engines import gpu_memory
from fersearch.engines.gpu_memory import GIGABYTE, Load
from fersearch.nvml import GpuStatus
from fersearch.recipe import OPTIMISATION, REGULARISATION

GB = GIGABYTE


def gb(total, free, processes=None):
    return GpuStatus(total * GB, round(free * GB), {pid: round(size * GB) for pid, size in (processes or {}).items()})


def load(size, pid=None):
    return Load(round(size * GB), pid)


def test_an_idle_gpu_has_its_free_memory():
    assert gpu_memory.room(gb(24, 20), [], 4 * GB) == 20 * GB


def test_what_a_trial_has_not_taken_yet_is_not_room():
    status = gb(24, 21, {7: 1})  # one trial of 3 GB has taken 1, another of 3 GB nothing yet
    assert gpu_memory.room(status, [load(3, 7), load(3, 8)], 2 * GB) == (21 - 2 - 3) * GB


def test_one_trial_that_takes_more_does_not_lend_another_less():
    status = gb(24, 16, {7: 6, 8: 0})
    assert gpu_memory.room(status, [load(3, 7), load(3, 8)], 2 * GB) == (16 - 3) * GB


def test_where_no_process_is_shown_all_that_was_added_is_ours():
    status = gb(24, 18)  # 2 GB were in use before; 4 of the 6 that are ours are taken
    assert gpu_memory.room(status, [load(3, 7), load(3, 8)], 2 * GB) == (18 - 2) * GB


def test_memory_of_others_is_never_room():
    assert gpu_memory.room(gb(24, 3, {99: 21}), [], 0) == 3 * GB
    assert gpu_memory.room(gb(24, 1), [load(3)], 23 * GB) == 0


@pytest.mark.parametrize(("need", "count"), [(2.1, 8), (4.0, 5), (9.5, 2), (20, 1), (22.0, 1), (40, 1)])
def test_so_many_fit_with_the_margin(need, count):
    assert gpu_memory.how_many(round(need * GB), round(23.7 * GB)) == count


def test_the_most_bounds_what_fits():
    assert gpu_memory.how_many(GB, 100 * GB, most=3) == 3


def test_the_gpu_with_most_room_is_chosen():
    rooms = {"0": 3 * GB, "1": 9 * GB, "2": 4 * GB}
    assert gpu_memory.choose(2 * GB, rooms, ()) == "1"
    assert gpu_memory.choose(8 * GB, rooms, ()) == "1"
    assert gpu_memory.choose(round(8.5 * GB), rooms, ()) is None  # 8.5 would fit, not with the margin


def test_what_fits_nowhere_is_tried_alone_on_an_empty_gpu():
    rooms = {"0": 3 * GB, "1": 9 * GB}
    assert gpu_memory.choose(20 * GB, rooms, {"0"}) == "0"
    assert gpu_memory.choose(None, rooms, {"0", "1"}) == "1"
    assert gpu_memory.choose(None, rooms, ()) is None
    assert gpu_memory.choose(20 * GB, rooms, {"7"}) is None


def test_the_decision_is_explained():
    free = round(23.7 * GB)
    assert gpu_memory.decision("0", round(7.1 * GB), free) == (
        "gpu 0: 3 trials at once (7.1 GB each of 23.7 GB free, 10% margin)"
    )
    assert gpu_memory.decision("1", 20 * GB, free).startswith("gpu 1: 1 trial at once (20.0 GB")
    assert "does not fit into the 23.7 GB that are free" in gpu_memory.decision("1", 23 * GB, free)


def test_trials_of_one_shape_differ_only_in_what_takes_no_memory():
    first = {"learning_rate": 0.1, "batch_size": 32, "optimizer": "sgd", "dropout": 0.2, "momentum": 0.9, "width": 16}
    same = {**first, "learning_rate": 0.5, "dropout": 0.3, "momentum": 0.8, "scheduler": "cosine"}
    assert gpu_memory.shape(first) == gpu_memory.shape(same)
    for other in ({"batch_size": 64}, {"optimizer": "adam"}, {"dropout": 0.0}, {"width": 32}, {"momentum": 0.0}):
        assert gpu_memory.shape(first) != gpu_memory.shape({**first, **other}), other
    assert gpu_memory.shape(first) != gpu_memory.shape(first, micro_batches=2)
    assert gpu_memory.shape(first) != gpu_memory.shape({**first, "freeze": "all_but_last"})


def test_the_names_that_decide_memory_are_the_recipes():
    assert {*gpu_memory.COUNTED, *gpu_memory.PRESENT} <= {*OPTIMISATION, *REGULARISATION}

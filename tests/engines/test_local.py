"""The garbage collector looks seldom while a study runs, and afterwards as it did before."""

import gc
from collections.abc import Iterator

import pytest

from fersearch.engines.local import ALLOCATIONS, seldom_collecting


@pytest.fixture(autouse=True)
def usual() -> Iterator[tuple[int, int, int]]:
    result = gc.get_threshold()
    yield result
    gc.set_threshold(*result)


def test_what_is_there_is_left_alone_and_all_is_as_before_after_an_error(usual: tuple[int, int, int]) -> None:
    def fail() -> None:
        with seldom_collecting():
            assert gc.get_threshold() == (ALLOCATIONS, *usual[1:])
            assert gc.get_freeze_count() > 1000
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert gc.get_threshold() == usual
    assert gc.get_freeze_count() == 0


@pytest.mark.parametrize("chosen", [0, 10 * ALLOCATIONS])
def test_whoever_collects_more_seldom_or_never_still_does(chosen: int) -> None:
    gc.set_threshold(chosen, 5, 5)
    with seldom_collecting():
        assert gc.get_threshold() == (chosen, 5, 5)

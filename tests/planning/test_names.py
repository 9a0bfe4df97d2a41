"""The names of studies: which are valid, and the default one."""

import pytest

from fersearch.errors import UsageError
from fersearch.planning.plan import plan
from fersearch.planning.request import StudyRequest


def test_a_free_name_is_chosen(registry):
    assert plan(StudyRequest("net", "drawn"), registry, names=["net-drawn", "net-drawn-2"]).name == "net-drawn-3"


@pytest.mark.parametrize("name", ["a", "wut-ärger", "怒り/1", "खुशी", "v1.2_b+c:d", "x" * 200, "٣"])
def test_a_name_of_any_script_is_taken(registry, name):
    assert plan(StudyRequest("net", "drawn", name=name), registry).name == name


@pytest.mark.parametrize(
    ("name", "meant"),
    [("my study", "my-study"), ("a..b", "a.b"), ("../up", "./up"), ("a\u202eb", "a-b"), ("-x", "x"), ("50%", "50-")],
)
def test_a_name_that_will_not_do_is_refused_with_one_that_does(registry, name, meant):
    with pytest.raises(UsageError, match="is not a valid name for a study") as caught:
        plan(StudyRequest("net", "drawn", name=name), registry)
    assert caught.value.hint == f"use letters, digits, '.', '_', '-', '+', ':' and '/', but no '..'; such as '{meant}'"
    assert plan(StudyRequest("net", "drawn", name=meant), registry).name == meant

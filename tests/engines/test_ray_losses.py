"""What an actor says when an attempt could not be begun on its node."""

import errno
import platform

import pytest


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_of_a_node_is_no_fault_of_the_trial(code):
    from fersearch.engines.ray.actor import failed

    outcome = failed(OSError(code, "No space left on device", "/far/prepared"))
    assert (outcome.reason, outcome.facts["lost"], outcome.facts["node"]) == ("interrupted", "disk", platform.node())
    assert outcome.facts["lacking_disk"] == {"folder": "/far/prepared", "bytes": 0}
    assert f"on node {platform.node()}" in outcome.message


def test_any_other_error_is_the_trials():
    from fersearch.engines.ray.actor import failed

    outcome = failed(KeyError("x"))
    assert (outcome.reason, dict(outcome.facts)) == ("error", {})
    assert outcome.message == f"KeyError on node {platform.node()}: 'x'"
    assert "KeyError" in outcome.traceback

"""A trial whose batches do not fit into memory is tried once more in parts, then given up with its figure."""

from tests.faults.conftest import Home

NARROW_PLUGIN = '''
"""A tiny network that lacks memory for more images at once than its limit."""
import os

from fersearch import Architecture, Choice, hookimpl


class Narrow(Architecture):
    name = "narrow"
    space = {"width": Choice(2, 3)}
    stage_names = ("features", "head")

    def build(self, params, task):
        from torch import nn

        class Room(nn.Module):
            def forward(self, x):
                if self.training and len(x) > int(os.environ["NARROW_ROOM"]):
                    raise MemoryError(f"no room for {len(x)} images")
                return x

        width = params["width"]
        features = nn.Sequential(Room(), nn.Conv2d(task.channels, width, 3, stride=4), nn.ReLU(), nn.Flatten())
        return nn.Sequential(features, nn.Linear(width * 12 * 12, task.num_classes))

    def stages(self, model):
        return [model[0], model[1]]


@hookimpl
def register_architectures(register):
    register(Narrow())
'''


def test_a_trial_that_lacks_memory_runs_once_more_in_parts_and_then_is_infeasible(home: Home):
    (home.folder / "plugins" / "narrow.py").write_text(NARROW_PLUGIN)
    home.create(trials=2, epochs=2, model="narrow")
    assert home.run("study", "run", "s", "--slots", "1", "--trials", "1", NARROW_ROOM="16").returncode == 0
    assert home.run("study", "run", "s", "--slots", "1", "--trials", "2", NARROW_ROOM="1").returncode == 0
    met, lost = home.trials()
    assert (met["state"], [attempt["reason"] for attempt in met["attempts"]]) == ("complete", ["oom", "done"])
    assert [row["epoch"] for row in met["history"]] == [1, 2]
    assert (lost["state"], [attempt["reason"] for attempt in lost["attempts"]]) == ("infeasible", ["oom", "oom"])
    rows = home.rows("SELECT message, facts FROM attempts WHERE trial = 1 ORDER BY number")
    assert "out of memory at batch size 64: no room for 64 images (the peak before was" in rows[0][0]
    assert "out of memory at batch size 64, even in 32 parts: no room for 2 images (the peak" in rows[1][0]
    assert '"micro_batches": 4' in home.rows("SELECT facts FROM attempts WHERE trial = 0 AND number = 2")[0][0]

"""Who decides: `Search` proposes, judges and records; engines only run what it hands out.

Importing this room loads numpy and not Optuna, which `make_sampler` and `fersearch.search.sampler` load.
"""

from fersearch.search.brain import Search, Writer
from fersearch.search.build import PRUNERS, SAMPLERS
from fersearch.search.front import front
from fersearch.search.grid import check_finite
from fersearch.search.pruner import NoPruner, ParetoPruner, Verdict

__all__ = ["PRUNERS", "SAMPLERS", "NoPruner", "ParetoPruner", "Search", "Verdict", "Writer", "check_finite", "front"]

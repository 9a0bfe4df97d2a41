"""The search: `Search` proposes, decides and records; engines only run the trials that it proposes.

Importing this package loads numpy and not Optuna, which `make_sampler` and `fersearch.search.optuna_sampler` load.
"""

from fersearch.search.brain import Search
from fersearch.search.front import front
from fersearch.search.interfaces import Writer
from fersearch.search.pruner import NoPruner, ParetoPruner, Verdict
from fersearch.search.samplers import PRUNERS, SAMPLERS, check_finite

__all__ = ["PRUNERS", "SAMPLERS", "NoPruner", "ParetoPruner", "Search", "Verdict", "Writer", "check_finite", "front"]

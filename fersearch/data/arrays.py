"""The arrays that a trial maps, and the two functions that make them.

`prepare` writes a dataset's pixels and columns once for all later uses. `load` derives targets, splits
and statistics for one study and caches them beside, so that a trial process only maps files: all trials share
one copy in memory.
"""

from fersearch.data.digests import together
from fersearch.data.prepared import Prepared, prepare
from fersearch.data.views import Loaded, load

__all__ = ["Loaded", "Prepared", "load", "prepare", "together"]

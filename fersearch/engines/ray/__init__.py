"""The engine of a cluster: trials in Ray Tune's actors; the only room that imports Ray."""

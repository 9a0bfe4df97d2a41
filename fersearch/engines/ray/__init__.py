"""The engine of a cluster: trials in Ray Tune's actors; the only package that imports Ray."""

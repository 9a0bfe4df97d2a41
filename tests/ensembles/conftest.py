"""The drawn patterns of the trainer's tests, for those that train members."""

from tests.training.conftest import _one_thread, base, patterns, registry, request_of

__all__ = ["_one_thread", "base", "patterns", "registry", "request_of"]

"""The small study of the verbs' tests, for those that judge its checkpoints."""

from tests.api.conftest import home, study

__all__ = ["home", "study"]

"""Maintenance of an installation: garbage collection, and a check of everything that a study needs."""

"""Maintenance of an installation: garbage collection, and checks of everything that a study needs."""

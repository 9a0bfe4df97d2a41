"""Replays of search methods over real training runs that fersearch recorded."""

"""Ensembles of kept checkpoints: candidates, selection, combination, and the resulting model."""

"""Ensembles of kept checkpoints: candidates, selection, combination, and the model that they make."""

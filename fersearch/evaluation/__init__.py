"""Judging a checkpoint: evaluate it on a dataset, predict images, map classes, open its folder."""

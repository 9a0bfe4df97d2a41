"""Trains one trial: the only room of the core that knows torch."""

"""Training of one trial; the only package of the core that imports torch."""

"""What keeps an installation in order: garbage collection, and a check of everything that a study needs."""

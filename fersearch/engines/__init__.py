"""Engines that run trials; they know the three verbs of the search and nothing of how it decides."""

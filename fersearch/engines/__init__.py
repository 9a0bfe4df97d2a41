"""Engines that run trials; they call the three verbs of the search and do not depend on how it decides."""

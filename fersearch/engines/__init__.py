"""The bodies that run trials; they know the brain's three verbs and nothing of how it decides."""

"""Migrations of the schema: one file in `versions` for each change, applied in order."""

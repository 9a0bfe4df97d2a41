"""The routes, one file per noun: each calls a verb and returns its record."""

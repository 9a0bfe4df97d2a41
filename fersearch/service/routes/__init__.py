"""The routes, one file for each noun: each calls a verb and answers with its record."""

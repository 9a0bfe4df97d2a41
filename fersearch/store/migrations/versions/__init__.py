"""One file for each change of the schema; `revision` is the number that a database then has."""

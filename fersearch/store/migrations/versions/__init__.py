"""One file for each change of the schema; `revision` is the schema version after it."""

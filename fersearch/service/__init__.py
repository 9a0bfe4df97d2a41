"""The service: studies over HTTP, a supervisor that shares slots among them, and a page to watch and use them.

Routes call the verbs of `fersearch.api` and answer with the records of `--json`; README.md tells how to run it.
"""

"""The service: studies over HTTP, a supervisor that shares slots among them, and a web page.

Routes call the verbs of `fersearch.api` and return the records of `--json`; README.md explains how to run it.
"""

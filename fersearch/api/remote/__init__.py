"""The verbs of a service, called as those of this machine: `api.connect(url, token)`."""

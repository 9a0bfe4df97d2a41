"""The verbs of a service, called like the local ones: `api.connect(url, token)`."""

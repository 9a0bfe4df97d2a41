"""Study files: TOML in, the keywords of `api.create_study` out, all mistakes of a file at once."""

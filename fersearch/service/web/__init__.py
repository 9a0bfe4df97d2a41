"""The page of the service: its sources, and how they are bundled."""

"""First-party metrics of fersearch: one file each, registered through the same entry points as third-party ones."""

"""First-party architectures of fersearch: one file each, found through the same door as a stranger's."""

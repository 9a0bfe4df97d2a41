"""Plan studies: check a request against the components and the space, and make a StudySpec of it."""

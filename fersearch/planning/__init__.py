"""Planning a study: a request, checked against the components and the space, becomes a StudySpec."""

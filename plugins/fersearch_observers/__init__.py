"""The first-party observers: each a tool elsewhere that is told what happens in a study."""

"""The first-party observers: each reports what happens in a study to an external tool."""

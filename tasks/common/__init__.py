"""Code that all three floors need: errors, files, progress, the registry and seeds."""

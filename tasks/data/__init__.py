"""Data files: where they lie, how they are downloaded, read, checked and audited."""

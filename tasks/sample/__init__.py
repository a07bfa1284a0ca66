"""A small generated data set in the official layout of LaMP, for tests and the first run."""

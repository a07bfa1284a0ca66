"""A set of LaMP's files converted once into Arrow tables, which all processes map into memory."""

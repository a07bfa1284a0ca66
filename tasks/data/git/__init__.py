"""Git histories as data shaped like LaMP-6's: what a commit says → its subject, by author."""

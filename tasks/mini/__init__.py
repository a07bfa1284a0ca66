"""LaMP-mini: generated worlds in LaMP's official format, whose users' preferences are known."""

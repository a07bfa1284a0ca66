"""LaMP tasks declared by templates, and the official profile prompt built from them."""

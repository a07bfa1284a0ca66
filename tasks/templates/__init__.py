"""Tasks declared by prompt templates, and the official profile prompt built from them."""

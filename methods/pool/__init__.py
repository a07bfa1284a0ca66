"""Methods that choose among other methods' answers."""

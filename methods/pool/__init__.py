"""What methods that choose among other methods' answers share."""

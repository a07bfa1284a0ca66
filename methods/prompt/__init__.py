"""Methods that write a prompt: their interface and what they share."""

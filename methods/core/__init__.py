"""What every method shares: the interface, its surroundings, the controls."""

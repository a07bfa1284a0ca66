"""Methods that put soft tokens before the prompt: interface, training, weights, deployment."""

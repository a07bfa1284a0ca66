"""The grid on a Ray cluster. Only `connection` imports Ray, and only when a run asks for it."""

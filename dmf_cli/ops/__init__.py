"""What the core computes with: differences of the backends, exact sums, pixels that do not count."""

"""A job in a process of its own: what sweeps and searches share."""

"""From a dataset to batches of network inputs."""

"""What to train with in a given time: facts of the images and the speed of this machine decide."""

"""Many runs, one answer: which settings differ, by how much, and whether that is more than chance."""

"""Which image is trained on, validated on and tested on, and what leaks between these parts."""

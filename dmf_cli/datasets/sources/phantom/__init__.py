"""The embedded dataset: synthetic breast ultrasound with exact masks."""

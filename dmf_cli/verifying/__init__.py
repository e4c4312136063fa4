"""Whether a run repeats: trained again from its own config, and compared with what it recorded."""

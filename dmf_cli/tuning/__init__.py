"""``dmf tune``: a search for fixed weights, or for any other settings, over runs like all others."""

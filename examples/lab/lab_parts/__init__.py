"""Parts of the lab for dmf."""

"""What the terminal shows: tables, bars, and a run while it trains."""

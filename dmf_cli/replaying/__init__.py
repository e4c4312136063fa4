"""What other strategies would have given on recorded losses: reading them, tables, plots."""

"""Health tables: from raw columns to numbers for a network, and back to words."""

"""Networks on tables of health data: from raw columns to numbers for a network, and back to words."""

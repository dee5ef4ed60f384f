"""Networks on tables of health data."""

"""Building only that share of a model which a rank trains."""

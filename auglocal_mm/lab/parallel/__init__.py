"""Training over several ranks, planned and simulated: strategies, tables, pictures."""

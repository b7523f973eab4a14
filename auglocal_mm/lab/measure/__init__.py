"""Costs of a config: multiply-adds, parameters, memory, time."""

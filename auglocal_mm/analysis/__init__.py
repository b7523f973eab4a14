"""Measuring and showing: memory, accuracy by depth, curves, charts, the report."""

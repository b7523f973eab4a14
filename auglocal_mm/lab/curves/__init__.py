"""Curves of training runs, read from their logs and drawn."""

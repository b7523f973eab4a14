"""Runs that a tool plans: their steps and folders, and running what is missing of them."""

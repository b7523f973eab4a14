"""Ranks of one machine: started, watched, and the first cause told when one of them fails."""

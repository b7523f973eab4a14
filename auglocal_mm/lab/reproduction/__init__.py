"""The paper's tables: the runs that they need, running what is missing, and the result."""

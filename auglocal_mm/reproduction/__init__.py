"""The paper's tables: which runs they need, running what is missing, and the table at the end."""

"""How every HTML page looks."""

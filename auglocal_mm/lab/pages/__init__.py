"""What every HTML page and text table is made with."""

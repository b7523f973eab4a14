"""What a config says: its files, the classes that it names, its shape."""

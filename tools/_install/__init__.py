"""Parts of the set-up that tools/install.py puts together."""

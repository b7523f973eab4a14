"""``python -m auglocal_mm``, the same as the command ``auglocal-mm``."""
import sys

from .console.command import main

if __name__ == '__main__':
    sys.exit(main())

"""``python -m auglocal_mm.console.ranks OPTIONS SCRIPT …``: what the dist_*.sh scripts run."""
import sys

from auglocal_mm.console.ranks.launcher import main

if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))

"""Show the versions of all parts, what works, and how to repair what does not.

Runs with any Python 3, also with nothing installed.
"""
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main():
    """Examine the environment of the interpreter that runs this."""
    if sys.version_info < (3, 10):
        print('ERROR: Python is %d.%d, must be CPython 3.10 to 3.12\n'
              '  Fix: run `make setup`, then `make doctor`' % sys.version_info[:2])
        return 1
    sys.path.append(str(ROOT))
    from auglocal_mm.console.tool import tool
    with tool(hosts=()):
        from auglocal_mm.console.doctor import main as examine
        return examine()


if __name__ == '__main__':
    sys.exit(main())

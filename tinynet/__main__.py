"""`python -m tinynet`."""

import sys

from tinynet.cli import main

if __name__ == "__main__":
    sys.exit(main())

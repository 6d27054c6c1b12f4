"""`python -m tasks` is `labs`."""

import sys

from tasks.labs.cli import main

sys.exit(main())

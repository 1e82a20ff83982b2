"""`python -m signoff.cli`, the same as `python -m signoff`."""

import sys

from signoff.cli import main

sys.exit(main())

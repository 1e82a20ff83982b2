"""`python -m signoff` is the `signoff` command."""

import sys

from signoff.cli import main

sys.exit(main())

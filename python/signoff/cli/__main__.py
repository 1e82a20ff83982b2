"""`python -m signoff.cli`."""

import sys

from signoff.cli.main import main

sys.exit(main())

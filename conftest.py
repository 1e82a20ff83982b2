"""What holds for all tests: programs they start can be interrupted, however the tests themselves were started."""

import signal

# A script that starts the tests in the background ignores SIGINT, and what they start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGTERM, signal.SIG_DFL)

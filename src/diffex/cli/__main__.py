"""``python -m diffex.cli``, where the script is not installed."""

import sys

from diffex.cli import main

sys.exit(main())

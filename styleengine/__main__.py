"""``python -m styleengine``."""

import sys

from styleengine.command.cli import main

sys.exit(main())

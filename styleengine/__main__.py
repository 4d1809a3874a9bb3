"""``python -m styleengine``."""

import sys

if sys.argv[1:2] == ["serve"]:  # before anything that takes time
    from styleengine.machine.parent import die_with_it

    die_with_it()

from styleengine.command.cli import main

sys.exit(main())

"""``python -m otsynth_core``: the command line."""

import sys

if __name__ == "__main__":
    try:
        from .cli import main
    except KeyboardInterrupt:
        sys.exit("otsynth: cancelled: nothing was written")
    sys.exit(main())

"""``python -m effdsl`` is ``effdsl``."""

from effdsl.cli import main

if __name__ == "__main__":
    main()

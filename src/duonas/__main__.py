"""``python -m duonas`` and ``torchrun -m duonas``."""

from duonas.cli.app import main

if __name__ == "__main__":
    main()

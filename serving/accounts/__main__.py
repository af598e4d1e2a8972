"""Entry point of ``python -m serving.accounts``."""

from serving.accounts.command_line import main

if __name__ == "__main__":
    main()

"""`python -m pipeline` and the command `autopilot-intake`."""

from pipeline.cli import main

if __name__ == "__main__":
    main()

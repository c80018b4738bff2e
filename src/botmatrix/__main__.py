"""`python -m botmatrix`."""

from botmatrix.cli.main import main

if __name__ == "__main__":
    main()

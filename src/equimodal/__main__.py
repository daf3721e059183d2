"""The command line as a module: `python -m equimodal`, for an interpreter that is named by its path."""

from equimodal.cli.main import main

if __name__ == "__main__":
    main()

"""`python -m pointpet` is the command line."""

from pointpet.cli.main import run

if __name__ == "__main__":
    run()

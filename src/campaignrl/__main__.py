"""`python -m campaignrl` is the command line, where the command itself is not on the path."""

from campaignrl.cli.main import run

if __name__ == "__main__":
    run()

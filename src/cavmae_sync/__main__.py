"""`python -m cavmae_sync`: the command line, for launchers such as torchrun that start modules."""

from cavmae_sync.cli import main

main()

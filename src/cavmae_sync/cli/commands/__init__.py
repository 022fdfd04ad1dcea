"""The commands, one module each, under the name that people type.

Each takes the words of its command line, makes one call of the library and prints. What several share stands
in `cavmae_sync.cli`.
"""

"""Commands one after the other in one process, for test_two_nodes.py: torchrun and torch start only once."""

import json
import sys

from cavmae_sync.cli import run

if __name__ == "__main__":
    code = 0
    for words in json.loads(sys.argv[1]):
        code = run(words)
        sys.stdout.write(f"ended with {code}\n")
        sys.stdout.flush()
    sys.exit(code)

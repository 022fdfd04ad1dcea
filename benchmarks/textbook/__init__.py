"""The same mathematics as the package, written as in a textbook: what everything is divided by.

Eager float32, one item at a time, nothing shared between items. Nothing is made slow on purpose, and each
answer is compared with the package's in the same run.
"""

"""The installer's parts. Standard library only, and valid for Python 3.9: it runs before anything
of ours is installed, and an older Python must get as far as saying so.
"""

"""What an app's tests need: the pytest plugin and its two clients.

Owns: nothing that is loaded early; import LiveClient, LocalClient and Reply from the files of this room.
Knows: that pytest imports this package at every start, in every project of the user's Python.
Never: imports anything, so that those starts stay quick.
"""

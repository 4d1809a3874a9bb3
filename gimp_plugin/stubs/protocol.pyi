# The installer puts a copy of the protocol beside the plug-in.
from styleengine.protocol import *

"""GIMP's layers to pixels, and pixels to layers."""

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("Gegl", "0.4")

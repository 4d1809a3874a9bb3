"""Sets the engine up, repairs, updates and removes it: from the dialog and from a terminal.

Standard library only, valid for Python 3.9; knows neither GIMP nor GTK. `flow` is what happens in
which order; whoever calls it hears of it through a `talk.Talk`. The only programs that are started
are uv and the engine's Python.
"""

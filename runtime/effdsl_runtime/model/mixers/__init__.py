"""What builds each built-in attention and recurrent layer: a file for each, which registers what it builds.

Importing the folder imports every file in it, so that a new one needs no list.
"""

from effdsl.built_in import modules_in

MODULES = tuple(modules_in(__name__))

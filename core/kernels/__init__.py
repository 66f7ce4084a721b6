"""The boot methods that come with the program. Proving that a node is in its kernel is the engine's."""

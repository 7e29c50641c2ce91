"""How metrics grow with the size of a model, and where techniques cross."""

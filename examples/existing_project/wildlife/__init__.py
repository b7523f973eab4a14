"""A project of its own: photographs of animals, and a transform for dusk."""

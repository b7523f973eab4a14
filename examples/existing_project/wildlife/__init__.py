"""The project's own code: photographs of animals, and a transform for dusk."""

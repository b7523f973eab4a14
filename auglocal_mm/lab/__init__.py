"""Everything beside the purpose: measurements, pictures, the demo, the paper's tables."""

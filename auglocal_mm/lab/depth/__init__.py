"""What each depth of a network knows: probes, local accuracies, similarity."""

"""The demo: from digits to a detector, by AugLocal and by BP, with a report."""

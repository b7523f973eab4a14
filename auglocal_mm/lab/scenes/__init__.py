"""Images with boxes, masks and labels, laid out for a page."""

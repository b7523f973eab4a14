"""Transfer: the same detector trained on several exported backbones, side by side."""

"""How every picture is drawn: one style, one colour per rule."""

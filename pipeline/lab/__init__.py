"""Made-up nights whose truth is known, and how well the program does on them."""

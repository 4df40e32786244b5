"""What was earned, after charges, and what executing it cost."""

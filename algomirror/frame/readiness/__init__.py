"""May we trade today? What was found, from what is stored: the board itself asks no broker."""

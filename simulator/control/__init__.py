"""The control face: the hand that moves the market and makes things go wrong."""

"""What an account did on a day and in a tax year, and whether its contract note says the same."""

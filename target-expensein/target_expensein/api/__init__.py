"""ExpenseIn's REST API as this project assumes it: the profile (data), and the client that follows it."""

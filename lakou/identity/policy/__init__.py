"""Who may do what: one table (`rules.py`) and one function (`deciding.may`) for every access of the product."""

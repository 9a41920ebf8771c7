"""The ExpenseIn side: the assumed REST contract, strict.

`fields` declares the collections, `validation` judges what a client sends, `paging` cuts lists, `service` serves,
`openapi` describes all that in a document built from the same declarations.
"""

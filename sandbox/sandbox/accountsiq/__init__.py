"""An emulator of AccountsIQ's SOAP service "Integration 2.0": how much of it is known, and how much assumed.

Documented (the vendor's WSDL and pages; the emulator is strict about it):
    - Address, namespace, SOAPAction = namespace + operation; document/literal over SOAP 1.1; no declared faults.
    - The twelve operations of `operations` with every type, field, order, nillability and type name of `types`. The WSDL
      under `?wsdl` is made from the same tables. One liberty: error codes are plain strings, not an enumeration of 2,404.
    - AiqSoapHeader with Entity and AccessToken on all calls but TokenGet and TokenRefresh, which have answers of their
      own shape (Result first, no HasExpired, no lifetime) and give out a new pair of tokens each time.
    - `Status`, `ErrorCode`, `ErrorMessage`, `HasExpired`, `Result`. HasExpired is `true` beside Success as in the
      vendor's samples, so a client that trusts it there is caught.
    - No paging: each list is one body. Records carry no date of change. A supplier who is an employee is recognisable
      only by its absence when ExcludeExpenseSuppliers is set.
    - All error codes exist; unhandled errors are HTTP 500 with a soap:Fault.

Inferred (from the names, or from how ASP.NET and its serialiser behave everywhere):
    - Null and empty values: see `emit`. Unknown elements are ignored; a missing boolean is false; a missing or nil
      FromLastModifiedDateInUTC asks for everything. The legacy `token` parameter is not looked at.
    - Which code answers which situation: see `errors`. A Tax's Rate is a fraction: 0.23 is 23 %.
    - The words of the faults for a bad SOAPAction, envelope or DOCTYPE. A SOAPAction may be quoted or not.
    - The full lists hold inactive records too; only GetActiveSupplierList leaves them out. Removed records show nowhere.

Assumed (nothing is published; the settings marked * turn the other way):
    - Access tokens live for 20 minutes (token_lifetime *). A refresh token works once (refresh_token_reusable *) and does
      not age. Several pairs may be good at a time.
    - Refusals come in-band with HTTP 200 (errors_as_fault * puts them into a fault). There is no limit of calls
      (calls_per_minute *). Answers are gzipped for clients that accept it (gzip *).
    - Order of the checks: throttle, header, token, revoked, scope, entity. GetEntitiesByToken wants no entity.
    - Client ids are GUIDs. A wrong secret is answered like an unknown application.
    - A body that holds another operation than the SOAPAction names is a fault (the real service may ignore it), and so is
      SOAP 1.2, which the real service speaks and the emulator does not.
    - A null query is INVALID_QUERY. Emails are compared without regard to case.

Keys of a row that start with `_` are never sent: `_expense_supplier` (see above), `_nil` (the entry is null),
`_null_list` on the first row (the whole list is null: no Result).
"""

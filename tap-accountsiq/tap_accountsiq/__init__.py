"""Singer tap for AccountsIQ (SOAP Integration 2.0)."""
